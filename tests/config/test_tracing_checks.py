"""The options of traces, as they are loaded: requirements and warnings."""

from __future__ import annotations

import importlib.util

import pytest

from aibridge_trio.config import tracing_checks
from aibridge_trio.config.loader import load
from aibridge_trio.errors import UsageError


def warned(flags: dict[str, str], environ: dict[str, str] | None = None) -> list[str]:
    """Return the warnings about traces."""
    loaded = load(flags, environ or {})
    given = {name for name, origin in loaded.origins.items() if origin.kind != "default"}
    return [line for line in loaded.settings.warnings(given) if "--otel" in line]


def test_opentelemetrys_variables_are_read() -> None:
    """Behind the bridge's own."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_SERVICE_NAME": "gate",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=hunter2",
    }
    settings = load({}, environ).settings
    assert (settings.otel_endpoint, settings.otel_service_name) == ("http://collector:4318", "gate")
    assert settings.otel_headers
    assert settings.otel_headers.reveal() == "x-key=hunter2"
    assert load({}, {**environ, "AIBRIDGE_OTEL_SERVICE_NAME": "own"}).settings.otel_service_name == "own"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("whole", [True, False])
def test_the_package_must_be_installed(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """Only where there is a collector; the error says how to install it."""
    found = importlib.util.find_spec

    def without(name: str) -> object:
        if name == "opentelemetry.proto":
            if whole:
                raise ModuleNotFoundError(name)
            return None
        return found(name)

    monkeypatch.setattr(tracing_checks, "find_spec", without)
    load({}, {})
    with pytest.raises(UsageError, match=r"--otel-endpoint: .*; pip install 'aibridge-trio\[otel\]'"):
        load({"otel_endpoint": "http://c:4318"}, {})


def test_a_port_of_another_protocol_is_a_warning() -> None:
    """OTLP over gRPC has the better known port."""
    assert len(warned({"otel_endpoint": "http://c:4317"})) == 1
    assert not warned({"otel_endpoint": "http://c:4318"})


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("http://c:4318", 1),
        ("https://c", 0),
        ("http://127.0.0.1:4318", 0),
        ("http://[::1]:1", 0),
        ("http://localhost", 0),
    ],
)
def test_a_credential_in_clear_text_is_a_warning(url: str, count: int) -> None:
    """On loopback it is not."""
    assert len(warned({"otel_endpoint": url}, {"AIBRIDGE_OTEL_HEADERS": "x-key=hunter2"})) == count


def test_an_option_without_a_collector_is_a_warning() -> None:
    """It does nothing."""
    assert warned({"otel_sample": "10%"}) == ["--otel-sample: does nothing; there is no --otel-endpoint"]
