"""Envoy with one worker, no access log, and circuit breakers that never trip."""

from __future__ import annotations

import json
import re

from bench.compare.peers import Launch, Peer, Place, find, said

_V3 = "type.googleapis.com/envoy.extensions.filters"


def peer() -> Peer | None:
    """Return Envoy, if it is installed."""
    executable = find("envoy", "envoy/bin")
    if executable is None:
        return None
    return Peer(name="envoy", executable=executable, version=_version(executable), launch=_launch)


def _version(program: str) -> str:
    found = re.search(r"/(\d+\.\d+\.\d+)/", said(program, "--version"))
    return found[1] if found else "unknown"


def _launch(program: str, place: Place) -> Launch:
    config = str(place.folder / "envoy.json")
    return Launch(
        (program, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"),
        files={"envoy.json": json.dumps(_config(place), indent=1)},
    )


def _address(port: int) -> object:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _config(place: Place) -> object:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}
    manager = {
        "@type": f"{_V3}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "codec_type": "HTTP1",
        "stream_idle_timeout": "0s",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_V3}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "name": "callers",
        "address": _address(place.port),
        "tcp_backlog_size": 8192,
        "filter_chains": [{"filters": filters}],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(place.provider)}}]}]
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 100_000)
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "provider", "endpoints": endpoints},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
