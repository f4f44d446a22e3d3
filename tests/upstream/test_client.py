"""One request to one provider: its exact bytes, a deadline for every phase, and no connection left behind."""

from __future__ import annotations

import errno
import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Finished
from aibridge_trio.http.headers import Headers
from aibridge_trio.server.asgi import AsgiBody, Message
from aibridge_trio.upstream.client import Timeouts, Upstream
from aibridge_trio.upstream.exchange import Outgoing, Response
from aibridge_trio.upstream.transport import Transport
from tests.support.network import Network

Stream = trio.abc.Stream
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Provider:
    """A host that speaks byte by byte, and keeps what each connection was sent and whether it ended."""

    def __init__(self, network: Network, speak: Callable[[Provider, Stream], Awaitable[None]]) -> None:
        self.heard: list[bytearray] = []
        self.ended: list[float] = []
        self._speak = speak
        self._news = trio.Event()
        network.raw("openai", self._serve)

    async def _serve(self, stream: Stream) -> None:
        self.heard.append(bytearray())
        number = len(self.heard) - 1
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                while piece := await stream.receive_some():
                    self.heard[number] += piece
                    self._news.set()
                    self._news = trio.Event()
                self.ended.append(trio.current_time())
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            with suppress(trio.BrokenResourceError):  # the bridge may have left by now
                await self._speak(self, stream)
            await trio.sleep_forever()

    async def requested(self, marker: bytes = b"\r\n\r\n", times: int = 1) -> None:
        """Wait until the marker has come this many times on the last connection."""
        while self.heard[-1].count(marker) < times:
            await self._news.wait()


async def prompt(provider: Provider, stream: Stream) -> None:
    """Answer every request at once; a request ends with a blank line, or with EOF in its body."""
    for times in range(1, 100):
        await provider.requested(times=times)
        await stream.send_all(OK)


async def silent(_provider: Provider, _stream: Stream) -> None:
    """Say nothing."""


def upstream(network: Network, base_url: str = "http://openai/v1", **timeouts: float) -> Upstream:
    """Return a way to the provider."""
    way = Upstream(base_url, network.way_out(), Timeouts(**timeouts))
    network.nursery.start_soon(way.run)
    return way


def outgoing(
    *pieces: bytes,
    method: str = "POST",
    target: bytes = b"/x",
    headers: Headers | None = None,
    length: int | None = None,
    chunked: bool = False,
    max_body: int = 1000,
) -> Outgoing:
    """Return a request whose body is there already."""
    body = AsgiBody()
    for piece in pieces:
        body._send_channel.send_nowait(piece)
    body._send_channel.close()
    return Outgoing(method, target, headers or [], body, length, chunked, max_body)


@asynccontextmanager
async def slow_upload(request: Outgoing, *pieces: bytes, pause: float) -> AsyncIterator[Outgoing]:
    """Let a request's body come piece by piece, that pause before each and before its end."""
    body = AsgiBody()

    async def receive() -> Message:
        await trio.sleep(pause)
        message = {"type": "http.request", "body": next(coming, b""), "more_body": True}
        message["more_body"] = bool(message["body"])
        return message

    coming = iter(pieces)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(body.feed, receive)
        yield Outgoing(
            request.method,
            request.target,
            request.headers,
            body,
            request.length,
            request.chunked,
            request.max_body,
        )
        nursery.cancel_scope.cancel()


async def whole(response: Response) -> bytes:
    """Read an answer to its end."""
    body = b""
    while piece := await response.read():
        body += piece
    return body


def nothing() -> None:
    """Ignore that there is a connection."""


# The bytes that go up


@pytest.mark.parametrize(
    ("base_url", "target", "heard"),
    [
        ("http://openai/v1", b"/chat/completions", (b"/v1/chat/completions", b"openai")),
        ("http://openai/v1/", b"/chat/completions", (b"/v1/chat/completions", b"openai")),
        ("http://openai", b"/v1/messages", (b"/v1/messages", b"openai")),
        ("http://openai/", b"/v1/messages", (b"/v1/messages", b"openai")),
        ("http://openai:8080/a/b%20c", b"/x", (b"/a/b%20c/x", b"openai:8080")),
        ("http://openai", b"/a%20b:c@d!$&'()*+,;=~-._", (b"/a%20b:c@d!$&'()*+,;=~-._", b"openai")),
        ("http://openai", b"/%41%2a%C3%bc%zz%", (b"/%41%2a%C3%bc%zz%", b"openai")),
        ("http://openai", b'/"<>^`{|}[]', (b'/"<>^`{|}[]', b"openai")),
        ("http://openai", b"/x?a=%20b&c&&=+%zz?/#", (b"/x?a=%20b&c&&=+%zz?/#", b"openai")),
        ("http://openai", b"/x?q=../../y", (b"/x?q=../../y", b"openai")),
    ],
)
async def test_the_target_is_base_path_and_rest_byte_for_byte(
    autojump_clock: MockClock, network: Network, base_url: str, target: bytes, heard: tuple[bytes, bytes]
) -> None:
    """Nothing is resolved, quoted or unquoted on the way: the allow-list has looked at exactly these bytes."""
    provider = Provider(network, prompt)
    way = upstream(network, base_url)
    async with way.send(outgoing(method="GET", target=target), nothing) as response:
        assert (response.head.status, await whole(response)) == (200, b"{}")
    assert provider.heard == [b"GET %s HTTP/1.1\r\nhost: %s\r\n\r\n" % heard]
    await way.aclose()


async def test_headers_go_up_as_they_are_and_nothing_is_added(autojump_clock: MockClock, network: Network) -> None:
    """No user agent, no accept, no cookie of the bridge's own; order, case and repetition stay."""
    provider = Provider(network, prompt)
    way = upstream(network)
    headers = [(b"X-Many", b"1"), (b"a", b"gr\xfc\xdfe"), (b"x-many", b"2"), (b"cookie", b"c=1")]
    async with way.send(outgoing(headers=headers), nothing) as response:
        await whole(response)
    assert provider.heard == [
        b"POST /v1/x HTTP/1.1\r\nhost: openai\r\nX-Many: 1\r\na: gr\xfc\xdfe\r\nx-many: 2\r\ncookie: c=1\r\n\r\n"
    ]
    await way.aclose()


@pytest.mark.parametrize(
    ("framing", "said"),
    [
        ({"length": 5}, b"content-length: 5\r\n\r\nabcde"),
        ({"chunked": True}, b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
        ({"length": 0}, b"content-length: 0\r\n\r\n"),
        ({}, b"host: openai\r\n\r\n"),
    ],
)
async def test_the_framing_is_the_callers(
    autojump_clock: MockClock, network: Network, framing: dict[str, int], said: bytes
) -> None:
    """Sized stays sized, chunked stays chunked, and without a body there is no framing of one."""
    provider = Provider(network, prompt)
    way = upstream(network)
    pieces = (b"ab", b"cde") if framing.get("length") or framing.get("chunked") else ()
    length, chunked = framing.get("length"), bool(framing.get("chunked"))
    async with way.send(outgoing(*pieces, length=length, chunked=chunked), nothing) as response:
        await whole(response)
    # It answers as soon as it has the head; it has the rest once nothing is on its way any more.
    await trio.testing.wait_all_tasks_blocked()
    assert provider.heard[0].endswith(said)
    await way.aclose()


async def test_kept_connections_are_closed_in_time(autojump_clock: MockClock, network: Network) -> None:
    """Also where no further request comes by: a provider's descriptors are not ours to hold."""
    provider = Provider(network, prompt)
    way = upstream(network)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(way.run)
        async with way.send(outgoing(), nothing) as response:
            await whole(response)
        await trio.sleep(30)
        assert provider.ended == []
        await trio.sleep(60)
        assert len(provider.ended) == 1
        nursery.cancel_scope.cancel()


# Deadlines


async def test_connecting_has_a_deadline(autojump_clock: MockClock, network: Network) -> None:
    """The phase is connect, and `on_connected` was not called."""
    network.blackholes.add("openai")
    on_connected: list[float] = []
    began = trio.current_time()
    with pytest.raises(UpstreamFault) as caught:
        async with upstream(network, connect=10.0).send(
            outgoing(), lambda: on_connected.append(trio.current_time())
        ):
            raise AssertionError
    assert (caught.value.phase, caught.value.timeout, on_connected) == ("connect", True, [])
    assert trio.current_time() - began == pytest.approx(10)


async def test_a_refused_connection_is_a_break_not_a_silence(autojump_clock: MockClock, network: Network) -> None:
    """Phase connect, at once."""
    with pytest.raises(UpstreamFault) as caught:
        async with upstream(network).send(outgoing(), nothing):
            raise AssertionError
    assert (caught.value.phase, caught.value.timeout, caught.value.cause) == ("connect", False, "no connection")


@pytest.mark.parametrize("framing", ["sized", "chunked", "none"])
async def test_the_first_byte_is_waited_for_from_the_end_of_the_upload(
    autojump_clock: MockClock, network: Network, framing: str
) -> None:
    """However long the caller took to upload: the provider has its whole time, counted from the last byte."""
    provider = Provider(network, silent)
    way = upstream(network, connect=5.0, first_byte=30.0)
    pieces = [] if framing == "none" else [b"ab"] * 10
    request = outgoing(length=20 if framing == "sized" else None, chunked=framing == "chunked")
    began = trio.current_time()
    async with slow_upload(request, *pieces, pause=20.0) as slow:
        with pytest.raises(UpstreamFault) as caught:
            async with way.send(slow, nothing):
                raise AssertionError
    assert (caught.value.phase, caught.value.timeout) == ("head", True)
    upload = {"sized": 200.0, "chunked": 220.0, "none": 0.0}[framing]  # to the last byte, or the last chunk
    assert trio.current_time() - began == pytest.approx(upload + 30, abs=0.1)
    await trio.sleep(0.1)
    assert len(provider.ended) == 1
    await way.aclose()


async def test_an_upload_is_no_connecting(autojump_clock: MockClock, network: Network) -> None:
    """The deadline of the connection ends when it stands."""

    async def late(provider: Provider, stream: Stream) -> None:
        await provider.requested(b"0\r\n\r\n")
        await stream.send_all(OK)

    Provider(network, late)
    way = upstream(network, connect=5.0, first_byte=1.0)
    request = outgoing(chunked=True)
    async with slow_upload(request, b"a", b"b", pause=50.0) as slow, way.send(slow, nothing) as response:
        assert await whole(response) == b"{}"
    await way.aclose()


async def test_an_infinite_deadline_is_none(autojump_clock: MockClock, network: Network) -> None:
    """A day for each phase."""

    async def slow(provider: Provider, stream: Stream) -> None:
        await provider.requested()
        await trio.sleep(86_400)
        await stream.send_all(OK[:-1])
        await trio.sleep(86_400)
        await stream.send_all(OK[-1:])

    Provider(network, slow)
    way = upstream(network, connect=math.inf, first_byte=math.inf, idle=math.inf)
    async with way.send(outgoing(), nothing) as response:
        assert await whole(response) == b"{}"
    await way.aclose()


async def test_silence_in_an_answer_has_a_deadline_for_each_piece(
    autojump_clock: MockClock, network: Network
) -> None:
    """Each piece starts it anew; a silence that is too long is a fault of phase stream."""

    async def dripping(provider: Provider, stream: Stream) -> None:
        await provider.requested()
        await stream.send_all(CHUNKED)
        for _ in range(10):
            await trio.sleep(9)
            await stream.send_all(b"1\r\nx\r\n")

    provider = Provider(network, dripping)
    way = upstream(network, idle=10.0)
    began = trio.current_time()
    seen = b""

    async def read() -> None:
        nonlocal seen
        async with way.send(outgoing(), nothing) as response:
            while piece := await response.read():
                seen += piece

    with pytest.raises(UpstreamFault) as caught:
        await read()
    assert (seen, caught.value.phase, caught.value.timeout) == (b"x" * 10, "stream", True)
    assert trio.current_time() - began == pytest.approx(100, abs=0.1)
    await trio.sleep(0.1)
    assert len(provider.ended) == 1
    await way.aclose()


async def test_silence_is_counted_only_while_the_bridge_waits_to_read(
    autojump_clock: MockClock, network: Network
) -> None:
    """A caller that takes an hour for each piece is no fault of the provider's."""

    async def quick(provider: Provider, stream: Stream) -> None:
        await provider.requested()
        await stream.send_all(CHUNKED)
        for _ in range(5):
            await stream.send_all(b"1\r\nx\r\n")
            await trio.sleep(1)
        await stream.send_all(b"0\r\n\r\n")

    Provider(network, quick)
    way = upstream(network, idle=5.0)
    seen = b""
    async with way.send(outgoing(), nothing) as response:
        while piece := await response.read():
            seen += piece
            await trio.sleep(3600)
    assert seen == b"x" * 5
    await way.aclose()


# Faults


# Leaving


# Connections


async def test_many_at_once_have_a_connection_each(autojump_clock: MockClock, network: Network) -> None:
    """No queue inside: how much is in flight is the admission's to say."""
    provider = Provider(network, silent)
    way = upstream(network)

    async def call() -> None:
        async with way.send(outgoing(), nothing):
            raise AssertionError

    async with trio.open_nursery() as nursery:
        for _ in range(150):
            nursery.start_soon(call)
        await trio.sleep(1)
        assert len(provider.heard) == 150
        nursery.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert len(provider.ended) == 150
    await way.aclose()


def test_its_repr_names_the_host_and_no_more() -> None:
    """A base URL may hold more than an operator wants to see."""
    way = Upstream("http://openai/v1", None, Timeouts())  # type: ignore[arg-type]
    assert repr(way) == "<Upstream openai>"


async def test_an_empty_piece_is_no_end(autojump_clock: MockClock) -> None:
    """Another transport may return an empty piece; what follows still belongs to the response."""

    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in (b"one", b"", b"", b"two"):
                yield piece

    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Pieces())

    way = Upstream("http://openai/v1", httpx.MockTransport(answer), Timeouts())
    async with way.send(outgoing(), nothing) as response:
        assert [await response.read() for _ in range(3)] == [b"one", b"two", b""]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ECONNREFUSED])
async def test_a_shortage_of_our_own_is_no_failure_of_the_provider(
    autojump_clock: MockClock, network: Network, number: int
) -> None:
    """Without a descriptor no connection opens: a neutral fault, which does not count against the provider."""

    def refuse() -> NoReturn:
        raise OSError("all attempts failed") from ExceptionGroup("", [OSError(number, "no")])

    async def dial(*_: object) -> NoReturn:
        refuse()

    network.way_out = lambda *_: Transport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), dial)  # type: ignore[method-assign]
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"POST /openai/v1/responses HTTP/1.0\r\nhost: b\r\ncontent-length: 0\r\n\r\n")
        said = b""
        while piece := await stream.receive_some():
            said += piece
        assert said.startswith(b"HTTP/1.1 502 ")
        await stream.aclose()
        [finished] = bridge.published(Finished)
    expected = Verdict.FAILURE if number == errno.ECONNREFUSED else Verdict.NEUTRAL
    assert finished.verdict is expected
