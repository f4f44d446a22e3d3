"""The traces of a bridge, made of its settings."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from aibridge_trio.bridge.trace_setup import NoTraces, new_traces
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.gateway.request_events import Record
from tests.support.network import Network

ENDPOINT = "https://collector.example"


def made(network: Network, settings: Settings, proxies: list[str | None]) -> NoTraces:
    """Return the traces; `proxies` gets the way to the collector."""

    def transport(proxy: str | None) -> Any:
        proxies.append(proxy)
        return network.way_out()

    counts: Counter[str] = Counter()
    return new_traces(
        settings, transport, wall_clock=lambda: 0.0, counts=counts, warn=lambda _: None, report=lambda _: None
    )


async def test_without_an_endpoint_records_are_plain(network: Network) -> None:
    """And there is nothing to run."""
    traces = made(network, Settings(), [])
    assert traces.record is Record
    await traces.run()
    await traces.finish()
    await traces.aclose()


async def test_a_collector_has_the_proxy_of_the_environment(network: Network) -> None:
    """--upstream-proxy is for providers."""
    proxies: list[str | None] = []
    own, common = Secret("http://own:1"), Secret("http://common:1")
    made(network, Settings(otel_endpoint=ENDPOINT, upstream_proxy=own), proxies)
    made(network, Settings(otel_endpoint=ENDPOINT, upstream_proxy=own, https_proxy=common), proxies)
    assert proxies == [None, "http://common:1"]


async def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    """With what installs it."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name, name="opentelemetry")
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("aibridge_trio.telemetry.tracing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"opentelemetry is missing; pip install 'aibridge-trio\[otel\]'"):
        made(network, Settings(otel_endpoint=ENDPOINT), [])


_PROBE = """
import sys
from aibridge_trio.bridge import Bridge
from aibridge_trio.config.settings import Settings
import trio
async def main():
    Bridge(Settings(otel_endpoint=sys.argv[1] or None))
trio.run(main)
ours = ("opentelemetry", "google", "aibridge_trio.telemetry.tracing")
print(sorted(name for name in sys.modules if name.startswith(ours)))
"""


@pytest.mark.parametrize("endpoint", ["", ENDPOINT])
def test_nothing_is_imported_when_off(endpoint: str) -> None:
    """Neither OpenTelemetry and protobuf nor what uses them."""
    command = [sys.executable, "-c", _PROBE, endpoint]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert (found == "[]") is not bool(endpoint)
