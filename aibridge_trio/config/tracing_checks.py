"""What the options of traces must meet, and warnings about valid ones."""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aibridge_trio.config.origin import Origin
    from aibridge_trio.config.settings import Settings

_GRPC_PORT = 4317


def check_tracing(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Require the package that encodes spans. Raises UsageError."""
    if settings.otel_endpoint and not _is_installed():
        problem = "the package that encodes spans is not installed"
        raise origins["otel_endpoint"].usage_error(problem, "pip install 'aibridge-trio[otel]'")


def tracing_warnings(settings: Settings) -> Iterator[str]:
    """Yield a line for a port of another protocol, and for a credential that can be read on the network."""
    if not settings.otel_endpoint:
        return
    parts = urlsplit(settings.otel_endpoint)
    if parts.port == _GRPC_PORT:
        yield "--otel-endpoint: port 4317 is usually that of OTLP over gRPC; OTLP over HTTP has port 4318"
    host = parts.hostname or ""
    if settings.otel_headers and parts.scheme == "http" and not _is_loopback(host):
        yield f"--otel-endpoint: the headers go to {host} in clear text; write https:// if it serves TLS"


def without_endpoint(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """Yield a line for each option of traces that was `given` where they go nowhere."""
    for name in ("otel_service_name", "otel_sample"):
        if name in given and not settings.otel_endpoint:
            yield f"--{name.replace('_', '-')}: does nothing; there is no --otel-endpoint"


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.proto") is not None
    except ModuleNotFoundError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
