"""Bodies that are read before they are sent: their members, and their memory."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
from backports import zstd
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from trio.testing import MockClock

from aibridge_trio.errors import BadRequest, BodyTooLarge, BufferFull
from aibridge_trio.events import Finished
from aibridge_trio.gateway.buffering import BodyBuffer, BufferedBody, BufferMemory
from aibridge_trio.http.message import BodyStalled, Reply, Request
from aibridge_trio.upstream.exchange import Outgoing
from tests.support.network import Network, Running

CHAT = "/openai/v1/chat/completions"
JSON = [(b"content-type", b"application/json")]
BY_MODEL: dict[str, Any] = {
    "circuit_breaker": True,
    "circuit_breaker_failure_threshold": 2,
    "circuit_breaker_scope": "model",
    "circuit_breaker_models": ("gpt-5", "o*"),
}


class Pieces(AsyncIterator[bytes]):
    """A body that comes bit by bit."""

    def __init__(self, body: bytes, size: int = 1000, *, stalls: bool = False) -> None:
        self._pieces = deque(body[at : at + size] for at in range(0, len(body), size))
        self._stalls = stalls

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._pieces:
            return self._pieces.popleft()
        raise BodyStalled if self._stalls else StopAsyncIteration


def outgoing(
    body: AsyncIterator[bytes], coding: bytes = b"", max_body: int = 1 << 20, length: int | None = None
) -> Outgoing:
    """Return a request with such a body, of a length that is announced or not."""
    headers = [(b"content-encoding", coding)] if coding else []
    return Outgoing("POST", b"/", headers, body, length, chunked=length is None, max_body=max_body)


async def read(body: bytes, coding: bytes = b"", size: int = 1000) -> BufferedBody:
    """Read a body, and give its memory back."""
    reader = BodyBuffer(1 << 22, "model")
    request = outgoing(Pieces(body, size), coding)
    with await reader.read(request, "a") as buffered:
        assert b"".join([piece async for piece in request.body]) == body
    assert reader.memory.used == 0
    return buffered


# What a body says


@pytest.mark.parametrize("coding", [b"", b"identity", b"gzip", b"br"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"model":"gpt-5"}',
        b'\xef\xbb\xbf \r\n{"model":"a","model":"b"} rest',
        b'{"model":{"a":1},"n":[1]}',
        b'{"model":"gpt-5"',
        b'{"model":"gpt-5\xff"}',
        b'["model"]',
        b"[" * 30_000,
        json.dumps({"image": "QUJD" * 5000, "model": "gpt-5"}).encode(),
        json.dumps({"text": "x " * 20_000, "model": "gpt-5"}).encode(),
    ],
)
async def test_a_body_that_comes_whole_says_what_it_says_in_pieces(body: bytes, coding: bytes) -> None:
    """An announced body that comes as one piece is read at once; what is found, and its memory, do not differ."""
    sent = gzip.compress(body) if coding == b"gzip" else body
    said = []
    for size, length in [(1 << 20, len(sent)), (1000, len(sent)), (1 << 20, None)]:
        reader = BodyBuffer(1 << 22, "model", "n")
        request = outgoing(Pieces(sent, size), coding, length=length)
        with await reader.read(request, "a") as buffered:
            assert reader.memory.used == len(sent)
            assert b"".join([piece async for piece in request.body]) == sent
        assert reader.memory.used == 0
        said.append((buffered.found, buffered.fault, buffered.encoded, buffered.size, buffered.embedded > 0))
    assert said[0] == said[1] == said[2]


async def test_a_whole_body_keeps_the_bounds() -> None:
    """Neither memory nor --max-body is exceeded by a small body that comes as one piece."""
    body = b'{"model":"gpt-5"}'
    for memory, max_body, error in [(20, 1 << 20, BufferFull), (1 << 22, 10, BodyTooLarge)]:
        reader = BodyBuffer(memory, "model")
        with pytest.raises(error):
            await reader.read(outgoing(Pieces(body), max_body=max_body, length=len(body)), "a")
        assert reader.memory.used == 0


DOCUMENT = json.dumps({"messages": ["x" * 20_000, "y\n" * 20_000], "model": "gpt-5"}).encode()


@pytest.mark.parametrize("size", [1, 1000, 16_384, 1 << 20])
@pytest.mark.parametrize("body", [DOCUMENT, b'{"model":"gpt-5"}'])
async def test_a_body_goes_up_as_it_came(body: bytes, size: int) -> None:
    """A body goes up byte for byte, in pieces neither tiny nor joined to one, and its model is known."""
    reader = BodyBuffer(1 << 22, "model")
    request = outgoing(Pieces(body, size))
    with await reader.read(request, "a") as buffered:
        assert buffered.model == "gpt-5"
        assert reader.memory.used == len(body)
        got = [piece async for piece in request.body]
        assert reader.memory.used == 0
    assert b"".join(got) == body
    assert all(len(piece) >= min(16_384, size) for piece in got[:-1])


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"GZIP", b"deflate", b"zstd"])
async def test_a_compressed_body_says_its_model(coding: bytes) -> None:
    """The model of a compressed body is read, small or large, piece by piece, and of several members."""
    packs: dict[bytes, Callable[[bytes], bytes]] = {b"deflate": zlib.compress, b"zstd": zstd.compress}
    pack = packs.get(coding, gzip.compress)
    assert (await read(pack(DOCUMENT), coding)).model == "gpt-5"
    assert (await read(pack(b'{"model":"gpt-5"}'), coding)).model == "gpt-5"
    if coding != b"deflate":
        parts = pack(b'{"model":') + pack(b'"gpt-5"}')
        assert (await read(parts, coding, 1)).model == "gpt-5"


async def test_a_bomb_is_not_unpacked() -> None:
    """Unpacking ends at --max-body."""
    for bomb in (b'{"x":"' + b" " * 50_000_000, b'{"x":' + b" " * 50_000_000):
        for packed, coding in ((gzip.compress(bomb), b"gzip"), (zstd.compress(bomb), b"zstd")):
            buffered = await read(packed, coding)
            assert buffered.fault == "it unpacks to more than --max-body"
            with pytest.raises(BadRequest):
                _ = buffered.model


async def test_what_is_not_unpacked_asks_for_no_model() -> None:
    """A body in another coding, or in several, names no model; a lie about the coding is refused."""
    for coding in (b"br", b"aws-chunked", b"gzip, gzip", b"unknown"):
        buffered = await read(b"\x28\xb5\x2f\xfd", coding)
        assert buffered.encoded
        assert buffered.fault
        assert buffered.model is None
    assert (await read(b'{"model":"a"}', b"identity")).model == "a"
    for lie in (b'{"model":"a"}', gzip.compress(DOCUMENT)[:-200] + b"x" * 200):
        with pytest.raises(BadRequest):
            _ = (await read(lie, b"gzip")).model


async def test_a_violation_is_refused_unless_the_model_is_known() -> None:
    """Another parser might read on and find another model; what stands before the violation counts."""
    for body in (b'{"x":\x01,"model":"gpt-5"}', '{"model":"gpt-5"}'.encode("utf-16"), b"{'model':'gpt-5'}", b'{"'):
        with pytest.raises(BadRequest, match="model cannot be read"):
            _ = (await read(body)).model
    assert (await read(b'{"model":"gpt-5","x":\x01}')).model == "gpt-5"
    assert (await read(b'{"model":7}')).model is None
    assert (await read(b"")).model is None


# Whose memory it is


async def test_memory_comes_back_whatever_happens() -> None:
    """Memory is released when a body stalls, is too long, cancelled or never sent, and as its pieces go up."""
    reader = BodyBuffer(1 << 20, "model")
    with pytest.raises(BadRequest):
        await reader.read(outgoing(Pieces(DOCUMENT, stalls=True)), "a")
    assert reader.memory.used == 0
    with pytest.raises(BodyTooLarge):
        await reader.read(outgoing(Pieces(DOCUMENT), max_body=10_000), "a")
    assert reader.memory.used == 0
    with trio.move_on_after(0):
        await reader.read(outgoing(Pieces(DOCUMENT)), "a")
    assert reader.memory.used == 0
    request = outgoing(Pieces(DOCUMENT))
    with await reader.read(request, "a"):
        held = []
        async for _ in request.body:
            held.append(reader.memory.used)
            if len(held) == 3:
                break
        assert held == sorted(held, reverse=True)
        assert held[-1] < len(DOCUMENT)
    assert reader.memory.used == 0
    assert not reader.memory._held


async def test_one_owner_leaves_half() -> None:
    """An owner holds no more than remains free; a further body is rejected, and its memory released."""
    reader = BodyBuffer(100_000, "model")
    body = b" " * 25_000
    first = [await reader.read(outgoing(Pieces(body)), "a") for _ in range(2)]
    with pytest.raises(BufferFull):
        await reader.read(outgoing(Pieces(body)), "a")
    assert reader.memory.used == 50_000
    other = await reader.read(outgoing(Pieces(body)), "b")
    with pytest.raises(BufferFull):
        await reader.read(outgoing(Pieces(body)), "b")
    for buffered in (*first, other):
        with buffered:
            pass
    assert reader.memory.used == 0


class Owners(RuleBasedStateMachine):
    """Bodies come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = BufferMemory(100)
        self.open: list[tuple[int, BufferedBody]] = []
        self.sizes: dict[BufferedBody, int] = {}

    @rule(owner=st.integers(0, 4))
    def begin(self, owner: int) -> None:
        """Begin one."""
        buffered = BufferedBody(self.memory, owner)
        self.open.append((owner, buffered))
        self.sizes[buffered] = 0

    @rule(which=st.integers(0, 9), size=st.integers(1, 60))
    def keep(self, which: int, size: int) -> None:
        """Add to one: refused exactly where the law says."""
        if not self.open:
            return
        owner, buffered = self.open[which % len(self.open)]
        held = sum(self.sizes[each] for holder, each in self.open if holder == owner)
        fits = held + size <= 100 - sum(self.sizes.values()) - size
        try:
            buffered.append(b"x" * size)
        except BufferFull:
            assert not fits
        else:
            assert fits
            self.sizes[buffered] += size

    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        """End one, twice."""
        if self.open:
            _, buffered = self.open.pop(which % len(self.open))
            del self.sizes[buffered]
            for _ in range(2):
                with buffered:
                    pass

    @invariant()
    def counted(self) -> None:
        """The memory in use is that of the open bodies, and never all of it."""
        assert self.memory.used == sum(self.sizes.values()) < 100
        assert set(self.memory._held) == {owner for owner, buffered in self.open if self.sizes[buffered]}


TestOwners = Owners.TestCase


# Through the bridge


class Provider:
    """Gives the configured answer, and records requests."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.bodies.append(b"".join([piece async for piece in request.body]))
        await reply.answer(self.status, JSON, b"{}")


def used(bridge: Running) -> int:
    """Return how much memory bodies take."""
    return bridge.bridge.body_buffer.memory.used


EVASIONS = {
    "deep": b'{"x":' + b"[" * 1500 + b"]" * 1500 + b',"model":"gpt-5"}',
    "a long number": b'{"x":' + b"9" * 5000 + b',"model":"gpt-5"}',
    "a mark": b'\xef\xbb\xbf{"model":"gpt-5"}',
    "a stray byte in a string": b'{"x":"\xff","model":"gpt-5"}',
    "a control character": b'{"x":"\x01","model":"gpt-5"}',
    "a stray byte behind": b'{"model":"gpt-5"}\x00',
    "a stray byte between": b'{"model":"gpt-5",\x00"x":1}',
    "NaN": b'{"temperature":NaN,"model":"gpt-5"}',
    "half a pair": b'{"x":"\\ud800","model":"gpt-5"}',
    "twice": b'{"model":"o3","model":"gpt-5"}',
    "in disguise": b'{"\\u006dodel":"\\u0067pt-5"}',
}


@pytest.mark.parametrize("padding", [0, 100_000])
async def test_nothing_evades_its_models_breaker(
    autojump_clock: MockClock, network: Network, padding: int
) -> None:
    """However a body is written, it falls under its model, and is refused while that one's breaker is open."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BY_MODEL) as bridge:

        async def ask(body: bytes) -> str:
            body = body.replace(b'"x"', b'"pad":"' + b"x" * padding + b'","x"')
            answer = await bridge.client.post(CHAT, content=body)
            return str(answer.headers.get("x-aibridge-reject", answer.status_code))

        assert {name: await ask(body) for name, body in EVASIONS.items()} == dict.fromkeys(EVASIONS, "200")
        assert await ask('{"x":1,"model":"gpt-5"}'.encode("utf-16")) == "bad_request"
        assert await ask(b'{"x":/**/1,"model":"gpt-5"}') == "bad_request"
        provider.status = 503
        for _ in range(2):
            await ask(b'{"model":"gpt-5"}')
        provider.bodies.clear()
        refused = {name: await ask(body) for name, body in EVASIONS.items()}
        assert refused == dict.fromkeys(EVASIONS, "circuit_open")
        assert provider.bodies == []


async def test_unfinished_uploads_share_a_budget(autojump_clock: MockClock, network: Network) -> None:
    """Forty endless uploads hold no more than --max-buffered; the others are rejected with a wait."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BY_MODEL, max_body=100_000, max_buffered=400_000) as bridge:
        outcomes: list[bytes] = []

        async def upload(n: int) -> None:
            stream = network.dial("bridge")
            head = b"POST %s HTTP/1.1\r\nhost: b\r\nx-api-key: key-%d\r\ncontent-length: 95000\r\n\r\n"
            await stream.send_all(head % (CHAT.encode(), n))

            async def send() -> None:
                await stream.send_all(b'{"x":"')
                for _ in range(100):
                    await stream.send_all(b"y" * 900)
                    await trio.sleep(0.1 + n / 1000)

            async with stream, trio.open_nursery() as sending:
                sending.start_soon(send)
                outcomes.append(bytes(await stream.receive_some()))
                sending.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for n in range(40):
                nursery.start_soon(upload, n)
            most = 0
            for _ in range(120):
                await trio.sleep(0.25)
                most = max(most, used(bridge))
            assert 200_000 < most < 400_000
            assert len(outcomes) > 30
            assert all(b"x-aibridge-reject: buffer_full\r\n" in answer for answer in outcomes)
            assert all(b"retry-after-ms: 1" in answer for answer in outcomes)
            small = b'{"model":"gpt-5"}'
            assert (await bridge.client.post(CHAT, content=small)).status_code == 200
            nursery.cancel_scope.cancel()
        await trio.sleep(1)
        assert used(bridge) == 0
        refused = [event for event in bridge.published(Finished) if event.reject == BufferFull.reason]
        assert len(refused) > 30


async def test_a_long_answer_holds_no_body(autojump_clock: MockClock, network: Network) -> None:
    """Memory is given back when the body has gone up, not when the answer ends; and when the caller leaves."""

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, JSON)
        await reply.send(b"{")
        await trio.sleep_forever()

    await network.answer("openai", provider)
    async with network.bridge(**BY_MODEL) as bridge, trio.open_nursery() as nursery:

        async def ask() -> None:
            await bridge.client.post(CHAT, content=DOCUMENT)

        nursery.start_soon(ask)
        await trio.sleep(1)
        assert bridge.bridge.admission.statistics().in_flight == 1
        assert used(bridge) == 0
        nursery.cancel_scope.cancel()


async def test_a_body_of_the_longest_length_always_fits(autojump_clock: MockClock, network: Network) -> None:
    """A body of --max-body fits even where --max-buffered is smaller."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BY_MODEL, max_body=100_000, max_buffered=1000) as bridge:
        body = json.dumps({"model": "gpt-5", "x": "y" * 99_000}).encode()
        assert (await bridge.client.post(CHAT, content=body)).status_code == 200
    assert provider.bodies == [body]
