"""A request's times: at the provider, in the bridge's queue, and the caller's whole wait."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Event, Finished, FirstByte
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Body, Reply, Request, TransportedReply
from tests.support.network import Handler, Network, Running

CHAT = "/openai/v1/chat/completions"
JSON = [(b"content-type", b"application/json")]
STEADY = 0.3


def answering(first: float = STEADY, then: float = 0.0) -> Handler:
    """Answer in two pieces: `first` seconds after the whole request, and `then` seconds later."""

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(first)
        await reply.start(200, JSON)
        await reply.send(b"{")
        await trio.sleep(then)
        await reply.send(b"}")
        await reply.end()

    return provider


async def dripping(pieces: int, pause: float) -> AsyncIterator[bytes]:
    """Upload in pieces, with a pause before each but the first."""
    for n in range(pieces):
        if n:
            await trio.sleep(pause)
        yield b" "


def times(finished: Finished) -> tuple[float | None, ...]:
    """The four times of a request, to the millisecond."""
    said = (finished.duration, finished.first_byte, finished.queued, finished.total)
    return tuple(None if each is None else round(each, 3) for each in said)


async def logged(bridge: Running) -> list[tuple[float | None, ...]]:
    """The times of all requests, the first first."""
    await trio.sleep(1)
    return [times(finished) for finished in bridge.published(Finished)]


async def test_the_queue_is_not_the_providers_time(autojump_clock: MockClock, network: Network) -> None:
    """The wait in the queue is not in the time at the provider, but has a field of its own."""
    await network.answer("openai", answering())
    async with network.bridge(max_concurrency=1, queue_size=10) as bridge:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(bridge.client.post, CHAT)
        told = await logged(bridge)
        document = await bridge.status()
        of_route = {"provider": "openai", "route": "/chat/completions"}
        sums = [
            await bridge.metric(f"{name}_sum", **of_route)
            for name in ("time_to_first_byte_seconds", "request_duration_seconds", "caller_duration_seconds")
        ]
    assert told == [(0.3, 0.3, round(n * 0.3, 3), round((n + 1) * 0.3, 3)) for n in range(4)]
    assert sums == pytest.approx([1.2, 1.2, 3.0])
    [provider, *_] = document["providers"]
    assert [provider[name]["sum"] for name in ("ttfb_s", "duration_s", "total_s")] == pytest.approx(
        [1.2, 1.2, 3.0]
    )
    assert document["queue"]["wait_s"]["sum"] == pytest.approx(1.8)
    assert provider["ttfb_s"]["buckets"]["0.5"] == provider["duration_s"]["buckets"]["0.5"] == 4


@pytest.mark.parametrize("scope", ["provider", "model"])
@pytest.mark.parametrize("sized", [True, False])
async def test_a_slow_upload_is_not_the_providers_time(
    autojump_clock: MockClock, network: Network, scope: str, sized: bool
) -> None:
    """Waits for the caller's body are the caller's, whether the provider has a connection meanwhile or not."""
    await network.answer("openai", answering(then=2.0))
    async with network.bridge(circuit_breaker=True, circuit_breaker_scope=scope) as bridge:
        headers = {"content-length": "5"} if sized else {}
        await bridge.client.post(CHAT, content=dripping(5, 3.0), headers=headers)
        assert await logged(bridge) == [(2.3, 0.3, 0.0, 14.3)]


async def test_the_way_to_the_provider_is_its_time(autojump_clock: MockClock, network: Network) -> None:
    """A provider that does not accept connections has had all the time that was spent on it."""
    network.blackholes.add("openai")
    async with network.bridge(connect_timeout=10.0) as bridge:
        await bridge.client.post(CHAT, content=b"{}")
        assert await logged(bridge) == [(10.0, None, 0.0, 10.0)]


async def test_what_is_not_sent_up_has_no_time_at_the_provider(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reject, and a request that leaves the queue unserved, have no time at the provider: the log says null."""
    await network.answer("openai", answering(first=5.0))
    async with network.bridge(max_concurrency=1, queue_size=10, queue_timeout=2.0) as bridge:
        await bridge.client.get("/nowhere")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bridge.client.post, CHAT)
            await trio.sleep(1)
            nursery.start_soon(bridge.client.post, CHAT)
        assert await logged(bridge) == [(None, None, 0.0, 0.0), (None, None, 2.0, 2.0), (5.0, 5.0, 0.0, 5.0)]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [_, waited, served] = [line for line in lines if line["event"] == "request"]
    keys = ("duration_s", "first_byte_s", "queue_s", "total_s")
    assert [waited[key] for key in keys] == [None, None, 2.0, 2.0]
    assert [served[key] for key in keys] == [5.0, 5.0, 0.0, 5.0]


async def test_a_refusal_before_the_end_of_the_upload(autojump_clock: MockClock, network: Network) -> None:
    """What the caller has not yet uploaded when the head comes does not shorten the answer's time."""

    async def early(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await trio.sleep(1.0)
        await stream.send_all(b"HTTP/1.1 400 X\r\ncontent-length: 2\r\n\r\n{")
        await trio.sleep(4.0)
        await stream.send_all(b"}")
        await stream.aclose()

    network.raw("openai", early)
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT, content=dripping(9, 0.5))
        [(duration, first_byte, *_)] = await logged(bridge)
    assert first_byte is not None
    assert 0 <= first_byte <= 1.0  # of this second the bridge waited for the caller all the time
    assert duration == pytest.approx(first_byte + 4.0)


# The record alone


class Upload(Body):
    """A body whose waits a test makes."""

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    def wait(self, began: float, ended: float | None = None) -> None:
        """Wait for a piece; without an end it is still being waited for."""
        self._begin_wait(began)
        if ended is not None:
            self._end_wait(ended)


class Unanswered(TransportedReply):
    """A reply that is never sent."""

    async def _start(self, *_: object, **__: object) -> None: ...

    async def _send(self, _: bytes) -> None: ...

    async def _end(self) -> None: ...


class Told:
    """A record on a clock that a test sets, and what it has published."""

    def __init__(self) -> None:
        self.now = 0.0  # no special moment
        self.body = Upload()
        self.events: list[Event] = []
        request = Request("POST", b"/", b"", [], None, None, self.body)
        self.record = Record(request, Unanswered(), lambda: self.now, self.events.append)

    def close(self, now: float) -> tuple[float | None, ...]:
        """End it; return its times."""
        self.now = now
        self.record.close()
        [finished] = [event for event in self.events if isinstance(event, Finished)]
        return times(finished)


def test_a_wait_that_goes_on_is_reported() -> None:
    """A caller that leaves in the middle of its upload leaves a provider that has had none of that time."""
    told = Told()
    told.record.went_upstream(told.now)
    told.body.wait(2.0)
    assert told.close(50.0) == (2.0, None, 0.0, 50.0)


def test_waits_before_it_was_sent_up_are_not_taken_off() -> None:
    """Only what passed after the time at the provider began is taken off it."""
    told = Told()
    told.body.wait(0.0, 7.0)
    told.now = 7.0
    told.record.went_upstream(told.now)
    assert told.close(8.0) == (1.0, None, 0.0, 8.0)


def test_a_fault_ends_the_providers_time() -> None:
    """What follows it, a reject to a caller that reads slowly, is the caller's."""
    told = Told()
    told.record.went_upstream(told.now)
    told.now = 3.0
    told.record.left_upstream()
    told.record.faulted(UpstreamFault("head", "x"))
    assert told.close(9.0) == (3.0, None, 0.0, 9.0)


def test_a_first_byte_is_never_before_the_beginning() -> None:
    """Times are not negative, whatever the caller and its provider do at the same time."""
    told = Told()
    told.record.went_upstream(told.now)
    told.body.wait(0.0)
    told.now = 4.0
    told.record.answered(200)
    told.record.first_byte()
    assert [event.seconds for event in told.events if isinstance(event, FirstByte)] == [0.0]


def test_ids_differ() -> None:
    """However many requests there are; each is as long as the others."""
    ids = {Told().record.request_id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(rb"req_[0-9a-f]{24}", each) for each in ids)


def test_ids_differ_from_those_of_a_forked_process() -> None:
    """Ids are made in advance, and a process and its child have none in common."""
    script = (
        "import os; from tests.gateway.test_request_events import Told\n"
        "Told()\n"
        "if os.fork(): os.wait()\n"
        "print(*(Told().record.request_id for _ in range(9)))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert len(set(said.split())) == 18


class Slow(Unanswered):
    """A reply to a caller that takes five seconds for each piece."""

    async def _send(self, piece: bytes) -> None:
        await trio.sleep(5.0 if piece else 0.0)


@pytest.mark.parametrize("sized", [True, False])
async def test_a_slow_reader(autojump_clock: MockClock, network: Network, sized: bool) -> None:
    """The time to read the last piece is the caller's; slow reading before it keeps the provider from sending."""

    async def provider(request: Request, reply: Reply) -> None:
        await reply.start(200, [*JSON, (b"content-length", b"4")] if sized else JSON)
        for piece in (b"{", b" ", b" ", b"}"):
            await reply.send(piece)
            await trio.sleep(1.0)
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        handle = bridge.bridge.server._app.handler  # type: ignore[attr-defined]
        await handle(Request("GET", b"/openai/v1/models", b"", [], "10.0.0.2", "bridge", Upload()), Slow())
        [(duration, first_byte, queued, total)] = await logged(bridge)
    assert (first_byte, queued) == (0.0, 0.0)
    assert duration is not None
    assert total is not None
    assert total - duration == (5.0 if sized else 0.0)


def test_several_waits_in_the_queue_add_up() -> None:
    """A request may wait more than once."""
    told = Told()
    for began, ended in ((1.0, 2.0), (5.0, 5.5)):
        told.now = began
        with told.record.queued():
            told.now = ended
    assert told.close(6.0) == (None, None, 1.5, 6.0)
