"""/status: held to its schema in every state, and its numbers to what was done."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio import __version__
from aibridge_trio.bridge.event_bus import EventBus
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.errors import REASONS
from aibridge_trio.events import Event, Finished, Started
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.router import Router
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.status import Status
from tests.support.network import Handler, Network, Running

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "status.schema.json").read_text())


def strict(schema: Any) -> Any:
    """Return the schema with every object closed: what the bridge sends must be described."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(each) for key, each in schema.items()}
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


VALIDATOR = jsonschema.Draft202012Validator(strict(SCHEMA))


async def status(bridge: Running) -> dict[str, Any]:
    """Return the status document, held to the schema."""
    document = await bridge.status()
    VALIDATOR.validate(document)
    for provider in document["providers"]:
        for histogram in (provider["ttfb_s"], provider["duration_s"], provider["total_s"]):
            buckets = list(histogram["buckets"].values())
            assert buckets == sorted(buckets)
            assert buckets[-1] == histogram["count"]
    assert sum(document["requests"]["by_status"].values()) == document["requests"]["total"]
    return document


def saying(status: int, body: bytes = b"{}", after: float = 0) -> Handler:
    """Answer always with this."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(after)
        await reply.answer(status, JSON, body)

    return handler


async def endless(_: Request, reply: Reply) -> None:
    """Stream for ever."""
    await reply.start(200, SSE)
    while True:
        await reply.send(b'data: {"choices":[]}\n\n')
        await trio.sleep(1)


@asynccontextmanager
async def busy(bridge: Running, *paths: str, **headers: str) -> AsyncIterator[None]:
    """Let requests run on these paths meanwhile."""
    async with trio.open_nursery() as nursery:
        for path in paths:

            async def run(path: str = path) -> None:
                with suppress(httpx.RemoteProtocolError, httpx.ReadError):  # a bridge that ends cuts it
                    await bridge.client.post(path, headers=headers)

            nursery.start_soon(run)
        await trio.sleep(0.5)
        yield
        nursery.cancel_scope.cancel()


def breaker(document: dict[str, Any], provider: int = 0) -> dict[str, Any]:
    """Return the breaker of a provider, OpenAI's by default."""
    found: dict[str, Any] = document["providers"][provider]["breaker"]
    return found


# The schema


def test_the_schema_is_one() -> None:
    """It is valid itself, and every property that it lists in an object is required."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            if "properties" in schema:
                assert schema["required"] == list(schema["properties"])
            for each in schema.values():
                walk(each)

    walk(SCHEMA)
    assert tuple(SCHEMA["properties"]["rejects"]["required"]) == REASONS


async def test_fresh(autojump_clock: MockClock, network: Network) -> None:
    """A bridge that has done nothing says so, in full."""
    async with network.bridge() as bridge:
        document = await status(bridge)
    assert list(document) == SCHEMA["required"]
    assert document["version"] == __version__
    assert document["uptime_s"] == 0
    assert document["draining"] is False
    assert document["concurrency"] == {"limit": 0, "in_flight": 0, "per_caller": 0, "per_provider": 0}
    assert document["rate_limit"] == {"per_second": 0, "own": False, "callers": 0}
    assert document["requests"] == {"total": 0, "by_status": {}}
    assert document["rejects"] == dict.fromkeys(REASONS, 0)
    assert document["callers"] == []
    assert [provider["name"] for provider in document["providers"]] == ["openai", "anthropic", "copilot"]
    [event] = document["events"]
    assert (event["kind"], event["provider"], event["from"], event["to"]) == ("start", None, None, None)


async def test_breakers_off(autojump_clock: MockClock, network: Network) -> None:
    """Off: not enabled, closed, no thresholds; verdicts are counted all the same."""
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT)
        document = await status(bridge)
    assert breaker(document) == {
        "enabled": False,
        "state": "closed",
        "mode": "auto",
        "override": None,
        "since_s": 0.0,
        "cooldown_left_s": None,
        "cooldown_s": None,
        "failures_in_window": 0,
        "failure_share_in_window": None,
        "threshold": None,
        "failure_share": None,
        "probes": 0,
        "max_probes": None,
        "trips": 0,
        "in_a_row": 0,
        "share": 1.0,
        "because": None,
        "rejects": 0,
        "verdicts": {"success": 0, "failure": 1, "neutral": 0},
        "scope": "provider",
        "scopes": [],
        "credentials": None,
    }


async def test_busy(autojump_clock: MockClock, network: Network) -> None:
    """Requests in flight are counted by provider and by caller, and the counts return to 0."""
    for host in ("openai", "anthropic"):
        await network.answer(host, endless)
    key = "Bearer sk-0123456789abcdef"
    async with network.bridge(max_concurrency=10, rate_limit=5) as bridge:
        async with busy(bridge, CHAT, CHAT, MESSAGES, authorization=key):
            document = await status(bridge)
            assert document["concurrency"] == {"limit": 10, "in_flight": 3, "per_caller": 0, "per_provider": 0}
            assert document["rate_limit"] == {"per_second": 5, "own": False, "callers": 1}
            assert [provider["in_flight"] for provider in document["providers"]] == [2, 1, 0]
            assert document["callers"] == [
                {"hint": "…cdef", "class": None, "requests": 0, "rejects": 0, "in_flight": 3}
            ]
            assert document["requests"]["total"] == 0
        await trio.sleep(1)
        document = await status(bridge)
    assert document["concurrency"]["in_flight"] == 0
    assert document["rate_limit"]["callers"] == 0
    assert [provider["in_flight"] for provider in document["providers"]] == [0, 0, 0]
    assert document["callers"] == [{"hint": "…cdef", "class": None, "requests": 3, "rejects": 0, "in_flight": 0}]


async def test_the_share_of_failures(autojump_clock: MockClock, network: Network) -> None:
    """With a failure share the status shows both: the one that opens the breaker, and the one in the window."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_share=0.5) as bridge:
        told = breaker(await status(bridge))
        assert (told["failure_share"], told["failure_share_in_window"]) == (0.5, None)
        await bridge.client.post(CHAT)
        told = breaker(await status(bridge))
        assert (told["failures_in_window"], told["failure_share_in_window"]) == (1, 1.0)
        await network.answer("openai", saying(200))
        for _ in range(2):
            await bridge.client.post(CHAT)
        told = breaker(await status(bridge))
        assert (told["failures_in_window"], told["failure_share_in_window"]) == (1, 0.333)


async def test_open_half_open_closed(autojump_clock: MockClock, network: Network) -> None:
    """The breaker's numbers follow it through its life, without traffic too."""
    options = {"circuit_breaker_failure_threshold": 3, "circuit_breaker_half_open_max_requests": 2}
    async with network.bridge(circuit_breaker=True, **options) as bridge:
        for failures in (1, 2):
            await bridge.client.post(CHAT)
            told = breaker(await status(bridge))
            assert (told["state"], told["failures_in_window"], told["threshold"]) == ("closed", failures, 3)
        await bridge.client.post(CHAT)
        await trio.sleep(4)
        await bridge.client.post(CHAT)
        told = breaker(await status(bridge))
        assert (told["state"], told["since_s"], told["cooldown_left_s"]) == ("open", 4.0, 26.0)
        assert (told["failures_in_window"], told["trips"], told["rejects"]) == (0, 1, 1)
        await trio.sleep(28)
        await network.answer("openai", endless)
        async with busy(bridge, "/openai/v1/models"):
            told = breaker(await status(bridge))
            assert (told["state"], told["cooldown_left_s"], told["probes"]) == ("half-open", None, 0)
            assert (told["since_s"], told["max_probes"]) == (2.5, 2)
        async with busy(bridge, CHAT, CHAT):
            told = breaker(await status(bridge))
            assert (told["state"], told["trips"], told["since_s"]) == ("closed", 1, 0.5)
        assert told["verdicts"] == {"success": 2, "failure": 3, "neutral": 0}


async def test_forced(autojump_clock: MockClock, network: Network) -> None:
    """Overrides are shown; forced open has no end and so no cooldown that is left."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        await trio.sleep(3)
        told = breaker(await status(bridge))
        assert (told["state"], told["mode"], told["cooldown_left_s"], told["since_s"]) == (
            "open",
            "open",
            None,
            3.0,
        )
        await bridge.admin.post("/breakers/openai", json={"mode": "close"})
        told = breaker(await status(bridge))
        assert (told["state"], told["mode"], told["trips"]) == ("closed", "close", 0)
        events = (await status(bridge))["events"][1:]
    assert [(event["kind"], event["from"], event["to"], event["because"]) for event in events] == [
        ("breaker", "closed", "open", "operator: open"),
        ("override", None, "open", "operator"),
        ("breaker", "open", "closed", "operator: close"),
        ("override", None, "close", "operator"),
    ]
    assert {event["provider"] for event in events} == {"openai"}


async def test_draining(autojump_clock: MockClock, network: Network) -> None:
    """Connections that were open before the drain get the status while draining, with the requests in flight."""
    await network.answer("openai", endless)
    async with network.bridge(graceful_timeout=60.0) as bridge, busy(bridge, CHAT):
        await status(bridge)
        await bridge.signals.send(15)
        await trio.sleep(1)
        document = await status(bridge)
        assert (document["draining"], document["concurrency"]["in_flight"]) == (True, 1)
        assert [event["kind"] for event in document["events"]] == ["start", "drain"]


# The numbers


async def test_answers_and_rejects_are_counted_where_they_belong(
    autojump_clock: MockClock, network: Network
) -> None:
    """By status over all, by reason over all, by provider what came from upstream."""
    await network.answer("openai", saying(200, b'{"usage":{"prompt_tokens":7,"completion_tokens":2}}'))
    await network.answer("anthropic", saying(529))
    async with network.bridge() as bridge:
        for _ in range(3):
            await bridge.client.post(CHAT)
        await bridge.client.post(MESSAGES)
        await bridge.client.get("/nowhere")
        await bridge.client.get("/")
        await bridge.client.post("/copilot/responses")
        document = await status(bridge)
    assert document["requests"] == {"total": 7, "by_status": {"200": 4, "404": 1, "502": 1, "529": 1}}
    rejects = {reason: count for reason, count in document["rejects"].items() if count}
    assert rejects == {"not_found": 1, "upstream_unreachable": 1}
    openai, anthropic, copilot = document["providers"]
    assert openai["upstream"]["responses"] == {"200": 3}
    assert openai["tokens"] == {"input": 21, "output": 6, "cache_read": 0, "cache_write": 0}
    assert openai["breaker"]["verdicts"] == {"success": 3, "failure": 0, "neutral": 0}
    assert anthropic["upstream"]["responses"] == {"529": 1}
    assert anthropic["breaker"]["verdicts"]["failure"] == 1
    assert copilot["upstream"] == {"responses": {}, "errors": {"connect": 1, "head": 0, "stream": 0}}
    assert [caller["requests"] for caller in document["callers"]] == [7]
    assert [caller["rejects"] for caller in document["callers"]] == [2]


async def test_a_reject_before_its_caller_is_known_counts_for_no_caller(
    autojump_clock: MockClock, network: Network
) -> None:
    """Requests rejected before their caller is known are in the totals only."""
    async with network.bridge() as bridge:
        await bridge.client.get("/", headers=[("x-api-key", "a"), ("x-api-key", "b")])
        document = await status(bridge)
    assert (document["requests"]["total"], document["callers"]) == (1, [])


async def test_first_bytes_are_told_in_cumulative_buckets(autojump_clock: MockClock, network: Network) -> None:
    """Each bucket holds all that were as quick or quicker; a bound belongs to its bucket."""
    delays = iter((0.0, 0.25, 0.3, 2.0, 700.0))

    async def provider(_: Request, reply: Reply) -> None:
        await trio.sleep(next(delays))
        await reply.answer(200, JSON, b"{}")

    await network.answer("openai", provider)
    async with network.bridge(first_byte_timeout=1000.0) as bridge:
        for _ in range(5):
            await bridge.client.post(CHAT)
        told = (await status(bridge))["providers"][0]["ttfb_s"]
    assert (told["count"], told["sum"]) == (5, pytest.approx(702.55))
    some = {bound: told["buckets"][bound] for bound in ("0.005", "0.1", "0.25", "0.5", "1", "2.5", "600", "+Inf")}
    assert some == {"0.005": 1, "0.1": 1, "0.25": 2, "0.5": 3, "1": 3, "2.5": 4, "600": 4, "+Inf": 5}
    assert len(told["buckets"]) == 17


async def test_callers_are_told_by_a_hint_and_never_by_their_credential(
    autojump_clock: MockClock, network: Network
) -> None:
    """Four characters of a long one, none of a short one, an address as it is, IPv6 by its /64."""
    async with (
        network.bridge() as bridge,
        network.client("bridge", address="2001:db8:1:2:3:4:5:6") as distant,
    ):
        await bridge.client.get("/", headers={"authorization": "Bearer sk-secret-0123456789-wxyz"})
        await bridge.client.get("/", headers={"x-api-key": "fifteen-chars-1"})
        await bridge.client.get("/")
        await distant.get("/")
        document = await status(bridge)
    hints = [caller["hint"] for caller in document["callers"]]
    assert sorted(hints) == sorted(["…wxyz", "…", "10.0.0.2", "2001:db8:1:2::/64"])
    assert "secret" not in json.dumps(document)
    assert "fifteen" not in json.dumps(document)


async def test_the_same_hint_of_two_callers_is_two_rows(autojump_clock: MockClock, network: Network) -> None:
    """Callers are distinguished by key, not by hint; the busiest come first."""
    async with network.bridge() as bridge:
        for key, times in (("0123456789abcdef", 1), ("9876543210abcdef", 2)):
            for _ in range(times):
                await bridge.client.get("/", headers={"x-api-key": key})
        document = await status(bridge)
    assert [(caller["hint"], caller["requests"]) for caller in document["callers"]] == [("…cdef", 2), ("…cdef", 1)]


async def test_the_events_are_the_last_fifty(autojump_clock: MockClock, network: Network) -> None:
    """Oldest first; what is older is forgotten."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for n in range(40):
            await bridge.admin.post("/breakers/copilot", json={"mode": ("open", "close")[n % 2]})
        document = await status(bridge)
    assert len(document["events"]) == 50
    assert document["events"][-1]["to"] == "close"
    assert [event["at"] for event in document["events"]] == sorted(event["at"] for event in document["events"])


async def test_uptime_and_now_tell_the_time(autojump_clock: MockClock, network: Network) -> None:
    """Uptime is the bridge's own clock, `now` the world's."""
    async with network.bridge() as bridge:
        await trio.sleep(61.25)
        document = await status(bridge)
    assert document["uptime_s"] == 61.25
    assert document["events"][0]["at"] <= document["now"]


async def test_a_provider_that_hangs_is_reported(autojump_clock: MockClock, network: Network) -> None:
    """Requests in flight of which no answer has begun, and for how long; an answer that begins ends it."""
    await network.answer("openai", saying(200, after=14))
    async with network.bridge() as bridge, busy(bridge, CHAT, CHAT, MESSAGES):
        await trio.sleep(9.5)
        document = await status(bridge)
        openai, *_ = document["providers"]
        assert (openai["in_flight"], openai["unanswered"], openai["unanswered_for_s"]) == (2, 2, 10.0)
        await trio.sleep(10)
        openai, *_ = (await status(bridge))["providers"]
        assert (openai["unanswered"], openai["unanswered_for_s"]) == (0, None)


# The table of callers is bounded


def alone() -> Status:
    """Return a status that listens to no bridge."""
    return Status(
        lifecycle=Lifecycle(),
        admission=Admission(Limits(), lambda: 0.0),
        counters=Counters([]),
        router=Router([]),
        clock=lambda: 0.0,
        wall_clock=lambda: 0.0,
        listeners={},
    )


def caller(n: int) -> Caller:
    """Return one of many callers."""
    return Caller(b"caller-%d" % n, f"…{n}", authenticated=True)


def tell(listener: Status, event: Event) -> None:
    """Publish an event to this status and its counters."""
    bus = EventBus()
    bus.subscribe(listener._counters.handlers)
    bus.subscribe(listener.handlers)
    bus.publish(event)


def finished(who: Caller, *, started: bool = False, reject: str | None = None) -> Finished:
    """Return the end of a request."""
    return Finished(
        request_id="r",
        provider="openai",
        route="other",
        method="GET",
        status=200,
        reject=reject,
        verdict=None,
        broken=False,
        duration=None,
        first_byte=None,
        queued=0.0,
        total=0.0,
        bytes_in=0,
        bytes_out=0,
        caller=who,
        user_agent="",
        started=started,
        reached_upstream=False,
        usage=Usage(),
    )


def test_the_table_of_callers_is_bounded() -> None:
    """A million invented credentials need no more memory than a thousand, and twenty are shown."""
    status = alone()
    for n in range(2_000):
        tell(status, finished(caller(n)))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n in range(2_000, 30_000):
            tell(status, finished(caller(n)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(status._callers) == 1000
    assert after - before < 1_000_000
    assert len(status.document()["callers"]) == 20


def test_a_busy_caller_is_not_forgotten_for_an_idle_one() -> None:
    """Beyond the bound the idle go first, the one that was quiet the longest before the others."""
    status = alone()
    busy = caller(0)
    status._tally(busy).in_flight = 1
    for n in range(1, 3_000):
        tell(status, finished(caller(n)))
    assert busy.key in status._callers
    assert caller(2_999).key in status._callers
    assert caller(1).key not in status._callers


@pytest.mark.parametrize("count", [10, 1_500])
async def test_no_number_is_ever_negative(autojump_clock: MockClock, network: Network, count: int) -> None:
    """Also when more callers are busy than are kept in mind: whose row was forgotten begins at 0 again."""
    async with network.bridge() as bridge:
        counters = bridge.bridge.status
        for n in range(count):
            tell(counters, Started("openai", caller(n)))
        assert (await status(bridge))["providers"][0]["in_flight"] == count
        for n in range(count):
            tell(counters, finished(caller(n), started=True, reject="circuit_open" if n % 2 else None))
            if n % 100 == 0:
                await status(bridge)
        for n in range(max(0, count - 20), count):  # the rows that would be removed first are shown
            tell(counters, finished(caller(n)))
        document = await status(bridge)
        assert document["providers"][0]["in_flight"] == 0
        assert document["providers"][0]["breaker"]["rejects"] == count // 2
        assert {row["in_flight"] for row in document["callers"]} == {0}
        assert len(counters._callers) <= 1000
