"""Whom the work goes through: how each proxy is found, started and spoken to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.traffic import Header

# Where bench/README.md puts what it installs.
PEERS = Path(os.environ.get("BENCH_PEERS", Path(__file__).parent / "peers"))


@dataclass(frozen=True, slots=True)
class Launch:
    """What starts a proxy: its command, variables of its environment, files to be written before."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy shall live: its ports, the provider's, a folder of its own."""

    port: int
    admin: int
    provider: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy. `launch` makes the command from its executable and its place; `version` asks the executable.

    `path` is where chat completions are asked for, `headers` what only this proxy needs. `ours` marks the bridge,
    `crowd` is False where thousands of open streams are beyond it.
    """

    name: str
    executable: str
    launch: Callable[[str, Place], Launch]
    version: Callable[[str], str]
    path: str = "/v1/chat/completions"
    headers: Callable[[Place], tuple[Header, ...]] = lambda _: ()
    ours: bool = False
    crowd: bool = True


def find(name: str, *folders: str) -> str | None:
    """Return the executable called `name`: below the peers' folder, else in PATH."""
    for folder in folders:
        candidate = PEERS / folder / name
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return shutil.which(name)


def said(*argv: str) -> str:
    """Return what a command says of itself, in one line."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    return " ".join((done.stdout + done.stderr).split())


def aibridge(executable: str, name: str = "aibridge", *more: str) -> Peer:
    """Return the bridge with everything on: limits that are never reached, breakers, metrics, a line of log a request."""

    def launch(program: str, place: Place) -> Launch:
        return Launch(
            (
                *(program, "serve", "--bind", f"127.0.0.1:{place.port}"),
                *("--admin-bind", f"127.0.0.1:{place.admin}"),
                *("--openai-base-url", f"http://127.0.0.1:{place.provider}/v1"),
                *(more or ("--max-concurrency", "10000", "--rate-limit", "100000", "--circuit-breaker")),
            )
        )

    return Peer(
        name=name,
        executable=executable,
        launch=launch,
        version=lambda program: said(program, "--version").removeprefix("aibridge "),
        path="/openai/v1/chat/completions",
        ours=True,
    )


def nginx(executable: str) -> Peer:
    """Return nginx with one worker: what a proxy in C costs that knows nothing of AI."""

    def launch(program: str, place: Place) -> Launch:
        config = f"""
            daemon off; worker_processes 1; error_log stderr error; pid {place.folder}/nginx.pid;
            {"user root;" if os.geteuid() == 0 else ""}
            events {{ worker_connections 16384; }}
            http {{
              access_log off;
              client_body_temp_path {place.folder}/body; proxy_temp_path {place.folder}/proxy;
              fastcgi_temp_path {place.folder}/fastcgi; uwsgi_temp_path {place.folder}/uwsgi;
              scgi_temp_path {place.folder}/scgi;
              keepalive_requests 1000000000; keepalive_timeout 3600s;
              upstream provider {{ server 127.0.0.1:{place.provider}; keepalive 256; keepalive_requests 1000000000; }}
              server {{
                listen 127.0.0.1:{place.port} backlog=8192;
                location / {{
                  proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_buffering off; proxy_read_timeout 3600s;
                }}
              }}
            }}
        """
        return Launch(
            (program, "-p", str(place.folder), "-c", str(place.folder / "nginx.conf")), files={"nginx.conf": config}
        )

    return Peer("nginx", executable, launch, lambda program: said(program, "-v").rpartition("/")[2])


def envoy(executable: str) -> Peer:
    """Return Envoy with one worker, no access log, and circuit breakers that never trip."""

    def launch(program: str, place: Place) -> Launch:
        return Launch(
            (
                *(program, "-c", str(place.folder / "envoy.json"), "--concurrency", "1"),
                *("--use-dynamic-base-id", "--log-level", "error"),
            ),
            files={"envoy.json": json.dumps(_envoy_config(place), indent=1)},
        )

    return Peer("envoy", executable, launch, lambda program: said(program, "--version").split("/")[1])


def _envoy_config(place: Place) -> object:
    def address(port: int) -> object:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 100_000)
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}],
                }
            ]
        },
        "stream_idle_timeout": "0s",
    }
    name = "envoy.filters.network.http_connection_manager"
    listener = {
        "name": "callers",
        "address": address(place.port),
        "tcp_backlog_size": 8192,
        "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
    }
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(place.provider)}}]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
