"""A budget of calls: how many Python and C functions a request costs the bridge, by cProfile.

CPU time follows the number of calls, and the number is nearly the same on every machine: it differs by the minor
version of Python only. A step that makes a request cheaper lowers its budget; a commit that raises one says why.
"""

from __future__ import annotations

import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.compare import traffic
from tests.support.call_counts import EVENT, USAGE_NULL, CountedBridge, SteppedProvider, counted_bridge
from tests.support.processes import CHAT

PROTECTIONS = ("--max-concurrency", "10000", "--rate-limit", "100000", "--circuit-breaker")
# Calls of one request, or of one event of a stream, by the minor version of Python.
BUDGETS: dict[str, dict[int, int]] = {
    "unary": {11: 700},
    "event": {11: 112},
    "event with usage: null": {11: 112},
    "capacity": {11: 287},
    "rate_limit": {11: 365},
    "circuit_open": {11: 380},
}
# A budget that is met by more than this part is too high: a later change could use it up in silence.
_SLACK = 0.05
_FEW, _MANY, _RUNS = 50, 250, 5

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.version_info[1] not in BUDGETS["unary"], reason="no budget of this version of Python"),
]


def check(what: str, bridge: CountedBridge, work: Callable[[], object]) -> None:
    """Count the calls of `work` as the difference of two runs, and compare them with the budget."""
    for _ in range(_FEW):
        work()
    calls = (fewest(bridge, work, _MANY) - fewest(bridge, work, _FEW)) / (_MANY - _FEW)
    budget = BUDGETS[what][sys.version_info[1]]
    assert calls <= budget, f"{what}: {calls:.1f} calls, {budget} are allowed"
    assert calls >= (1 - _SLACK) * budget, f"{what}: {calls:.1f} calls: lower the budget of {budget}"


def fewest(bridge: CountedBridge, work: Callable[[], object], times: int) -> int:
    """Return the fewest calls of a few runs: timers, and turns of a busy machine, only add some."""
    counts = []
    for _ in range(_RUNS):
        before = bridge.calls()
        for _ in range(times):
            work()
        counts.append(bridge.calls() - before)
    return min(counts)


def test_a_unary_request(tmp_path: Path) -> None:
    """With a limit, a rate, a breaker, metrics and a line of log."""
    provider = SteppedProvider()
    with counted_bridge(tmp_path, provider, PROTECTIONS) as bridge:
        request = traffic.request(bridge.port, CHAT, stream=False)
        check("unary", bridge, lambda: bridge.ask(request))


@pytest.mark.parametrize(("what", "more"), [("event", b""), ("event with usage: null", USAGE_NULL)])
def test_an_event(tmp_path: Path, what: str, more: bytes) -> None:
    """Each in a piece of its own, as providers send them."""
    provider = SteppedProvider(EVENT % more)
    with counted_bridge(tmp_path, provider, PROTECTIONS) as bridge:
        caller = bridge.connection
        caller.sendall(traffic.request(bridge.port, CHAT, stream=True))

        def event() -> None:
            provider.step.release()
            bridge.receive(b"\n\n\r\n")

        bridge.receive(b"\r\n\r\n")
        check(what, bridge, event)


def test_a_capacity_reject(tmp_path: Path) -> None:
    """The cheapest one: no hash, no rate."""
    provider = SteppedProvider(EVENT % b"")
    with (
        counted_bridge(tmp_path, provider, ("--max-concurrency", "1", *PROTECTIONS[2:])) as bridge,
        socket.create_connection(("127.0.0.1", bridge.port)) as other,
    ):
        other.sendall(traffic.request(bridge.port, CHAT, stream=True))
        other.recv(1)
        refused(bridge, "capacity", b"503")


def test_a_rate_reject(tmp_path: Path) -> None:
    """What a caller that does not heed its limit costs."""
    provider = SteppedProvider()
    with counted_bridge(tmp_path, provider, (*PROTECTIONS[:2], "--rate-limit", "1", *PROTECTIONS[4:])) as bridge:
        bridge.ask(traffic.request(bridge.port, CHAT, stream=False))
        refused(bridge, "rate_limit", b"429")


def test_a_circuit_reject(tmp_path: Path) -> None:
    """What an outage costs."""
    provider = SteppedProvider()
    with counted_bridge(tmp_path, provider, PROTECTIONS) as bridge:
        order = urllib.request.Request(
            f"http://127.0.0.1:{bridge.admin}/breakers/openai",
            data=b'{"mode": "open"}',
            method="POST",
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(order, timeout=10).close()
        refused(bridge, "circuit_open", b"503")


def refused(bridge: CountedBridge, what: str, status: bytes) -> None:
    """Check what a reject costs."""
    request = traffic.request(bridge.port, CHAT, stream=False)
    assert bridge.ask(request).startswith(b"HTTP/1.1 " + status)
    check(what, bridge, lambda: bridge.ask(request))
