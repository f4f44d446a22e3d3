"""One request and its response, with the faults of both in the bridge's terms."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.errors import BadRequest, BodyTooLarge, UpstreamFault
from tests.support.network import Network
from tests.upstream.test_client import (
    CHUNKED,
    OK,
    Provider,
    Stream,
    nothing,
    outgoing,
    prompt,
    silent,
    slow_upload,
    upstream,
    whole,
)


@pytest.mark.parametrize("pieces", [(b"ab",), (b"abcdef",)])
async def test_a_body_that_is_not_as_long_as_it_said_never_makes_a_request(
    autojump_clock: MockClock, network: Network, pieces: tuple[bytes, ...]
) -> None:
    """A server in front would not let it come to this; if one did, the connection ends in the middle."""
    provider = Provider(network, silent)
    way = upstream(network)
    with pytest.raises(BadRequest, match="cannot be framed"):
        async with way.send(outgoing(*pieces, length=4), nothing):
            raise AssertionError
    await trio.testing.wait_all_tasks_blocked()
    assert len(provider.ended) == 1
    assert len(provider.heard[0].partition(b"\r\n\r\n")[2]) < 4
    await way.aclose()


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        (b"", "head"),
        (b"HTTP/1.1 200", "head"),
        (b"nonsense\r\n\r\n", "head"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "stream"),
        (CHUNKED + b"2\r\n{}\r\n", "stream"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", "stream"),
        (CHUNKED + b"zz\r\n", "stream"),
    ],
)
async def test_what_breaks_says_in_which_phase(
    autojump_clock: MockClock, network: Network, said: bytes, phase: str
) -> None:
    """Before the head or in the answer; the framing decides whether an answer is complete."""
    network.raw("openai", lambda stream: saying(stream, said))
    way = upstream(network)
    with pytest.raises(UpstreamFault) as caught:
        async with way.send(outgoing(), nothing) as response:
            await whole(response)
    assert (caught.value.phase, caught.value.timeout) == (phase, False)
    await way.aclose()


async def saying(stream: Stream, said: bytes) -> None:
    """Read a request, say that, and close."""
    await stream.receive_some()
    await stream.send_all(said)
    await stream.aclose()


async def test_an_answer_without_a_length_ends_with_its_connection(
    autojump_clock: MockClock, network: Network
) -> None:
    """HTTP/1.0's framing is a framing: complete when it closes."""
    network.raw("openai", lambda stream: saying(stream, b"HTTP/1.0 200 OK\r\n\r\nall of it"))
    way = upstream(network)
    async with way.send(outgoing(), nothing) as response:
        assert await whole(response) == b"all of it"
    await way.aclose()


async def test_early_hints_are_no_answer(autojump_clock: MockClock, network: Network) -> None:
    """100 and 103 may come before the one that counts."""
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK
    network.raw("openai", lambda stream: saying(stream, said))
    way = upstream(network)
    async with way.send(outgoing(), nothing) as response:
        assert (response.head.status, await whole(response)) == (200, b"{}")
    await way.aclose()


async def test_a_body_that_grows_too_long_aborts_the_request(autojump_clock: MockClock, network: Network) -> None:
    """The piece that is too much does not go up, and the provider sees no end of the request."""
    provider = Provider(network, silent)
    way = upstream(network)
    with pytest.raises(BodyTooLarge):
        async with way.send(outgoing(b"x" * 6, b"y" * 6, chunked=True, max_body=10), nothing):
            raise AssertionError
    await trio.sleep(0.1)
    assert len(provider.ended) == 1
    assert b"xxxxxx" in provider.heard[0]
    assert b"y" not in provider.heard[0]
    assert b"0\r\n\r\n" not in provider.heard[0]
    await way.aclose()


async def test_what_ends_an_upload_leaves_no_cycle(autojump_clock: MockClock, network: Network) -> None:
    """An error holds the frames through which it came. None of them holds it, and with it all that they know."""
    Provider(network, silent)
    way = upstream(network)
    gc.collect()
    gc.disable()
    try:
        try:
            async with way.send(outgoing(b"x" * 6, b"y" * 6, chunked=True, max_body=10), nothing):
                raise AssertionError
        except BodyTooLarge as error:
            raised = weakref.ref(error)
        await trio.sleep(0.1)
        assert raised() is None
    finally:
        gc.enable()
    await way.aclose()


async def heading(provider: Provider, stream: Stream) -> None:
    """Send a head, and no more."""
    await provider.requested()
    await stream.send_all(CHUNKED)


async def streaming(provider: Provider, stream: Stream) -> None:
    """Stream for ever."""
    await heading(provider, stream)
    while True:
        await stream.send_all(b"1\r\nx\r\n")
        await trio.sleep(1)


async def test_leaving_while_it_connects_leaves_nothing(autojump_clock: MockClock, network: Network) -> None:
    """No task is left waiting."""
    network.blackholes.add("openai")
    way = upstream(network)
    with trio.move_on_after(3) as scope:
        async with way.send(outgoing(), nothing):
            raise AssertionError
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(3)
    await way.aclose()


@pytest.mark.parametrize(
    ("speak", "phase"),
    [(silent, "upload"), (silent, "head"), (heading, "first piece"), (streaming, "stream")],
)
async def test_leaving_in_any_phase_ends_the_connection(
    autojump_clock: MockClock,
    network: Network,
    speak: Callable[[Provider, Stream], Awaitable[None]],
    phase: str,
) -> None:
    """The provider sees the end at that instant, and stops generating and billing."""
    provider = Provider(network, speak)
    way = upstream(network)
    pieces = [b"a"] * 100 if phase == "upload" else []
    request = outgoing(chunked=phase == "upload")
    with trio.move_on_after(3.5) as scope:
        async with slow_upload(request, *pieces, pause=1.0) as slow, way.send(slow, nothing) as response:
            await whole(response)
    assert scope.cancelled_caught
    await trio.testing.wait_all_tasks_blocked()
    assert provider.ended == [pytest.approx(3.5)]
    await way.aclose()


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_who_leaves_in_the_middle_leaves_no_connection(
    autojump_clock: MockClock, network: Network, pieces: int
) -> None:
    """Without being cancelled too: an answer that is not wanted to its end is not read to its end."""
    provider = Provider(network, streaming)
    way = upstream(network)
    async with way.send(outgoing(), nothing) as response:
        for _ in range(pieces):
            assert await response.read() == b"x"
    await trio.testing.wait_all_tasks_blocked()
    assert len(provider.ended) == 1
    await way.aclose()


async def test_an_exception_in_the_middle_leaves_no_connection(
    autojump_clock: MockClock, network: Network
) -> None:
    """Whatever goes wrong on the callers' side, and it is that which is raised."""
    provider = Provider(network, streaming)
    way = upstream(network)

    async def fail() -> None:
        async with way.send(outgoing(), nothing) as response:
            await response.read()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    await trio.testing.wait_all_tasks_blocked()
    assert len(provider.ended) == 1
    await way.aclose()


async def test_a_connection_is_kept_after_a_complete_answer(autojump_clock: MockClock, network: Network) -> None:
    """Ten requests in a row, one connection."""
    provider = Provider(network, prompt)
    way = upstream(network)
    for _ in range(10):
        async with way.send(outgoing(), nothing) as response:
            assert await whole(response) == b"{}"
    assert (network.dialled, len(provider.ended)) == (["openai"], 0)
    await way.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert len(provider.ended) == 1


async def test_a_connection_of_an_abandoned_answer_is_never_used_again(
    autojump_clock: MockClock, network: Network
) -> None:
    """What is left of one caller's answer must not become the head of another's."""

    async def halves(provider: Provider, stream: Stream) -> None:
        await provider.requested()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")

    provider = Provider(network, halves)
    way = upstream(network)
    for _ in range(3):
        async with way.send(outgoing(), nothing) as response:
            assert await response.read() == b"ab"
    await trio.testing.wait_all_tasks_blocked()
    assert network.dialled == ["openai"] * 3
    assert len(provider.ended) == 3
    await way.aclose()


async def test_reached_is_reported_when_the_connection_stands_and_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """Also for a connection that was kept, and for a request without a body."""
    Provider(network, prompt)
    way = upstream(network)
    on_connected: list[float] = []
    for times in (1, 2):
        async with way.send(outgoing(), lambda: on_connected.append(trio.current_time())) as response:
            await whole(response)
        assert len(on_connected) == times
    await way.aclose()
