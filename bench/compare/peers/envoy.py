"""Envoy with one worker, no access log, and circuit breakers that never trip."""

from __future__ import annotations

import json
import re

from bench.compare.peers import TLS, Launch, Peer, Place, find, said

_V3 = "type.googleapis.com/envoy.extensions.filters"
_SOCKETS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


def peer() -> Peer | None:
    """Return Envoy, if it is installed."""
    executable = find("envoy", "envoy/bin")
    if executable is None:
        return None
    return Peer(name="envoy", executable=executable, version=_version(executable), launch=_launch, tls=True)


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
        "filter_chains": [{"filters": filters, **_front(place.front)}],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(place.provider)}}]}]
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 100_000)
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "provider", "endpoints": endpoints},
        **_behind(place.behind),
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _front(tls: TLS | None) -> dict[str, object]:
    """Return what lets a listener speak TLS."""
    if tls is None:
        return {}
    file = {"filename": str(tls.certificate)}
    return _socket("Downstream", {"tls_certificates": [{"certificate_chain": file, "private_key": file}]})


def _behind(tls: TLS | None) -> dict[str, object]:
    """Return what lets a cluster speak TLS, and verify whom it speaks with."""
    if tls is None:
        return {}
    return _socket("Upstream", {"validation_context": {"trusted_ca": {"filename": str(tls.certificate)}}})


def _socket(side: str, common: object) -> dict[str, object]:
    config = {"@type": f"{_SOCKETS}.{side}TlsContext", "common_tls_context": common}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": config}}
