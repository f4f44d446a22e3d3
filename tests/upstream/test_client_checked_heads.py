"""Heads that come again go up as bytes that were checked once; and bodies whose end is not asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from trio.testing import MockClock

from aibridge_trio.http.headers import Headers
from aibridge_trio.upstream.exchange import Outgoing
from tests.support.network import Network
from tests.upstream.test_client import Provider, nothing, prompt, upstream, whole

ID = (b"x-request-id", b"req_1")


class Body(AsyncIterator[bytes]):
    """A body of one piece; `asked` counts how often it was asked for one."""

    def __init__(self) -> None:
        self.asked = 0

    async def __anext__(self) -> bytes:
        self.asked += 1
        if self.asked > 1:
            raise StopAsyncIteration
        return b"{}\r\n\r\n"


def known(base: object, lines: bytes, headers: Headers) -> Outgoing:
    """Return a request with a head that is known."""
    request = Outgoing("POST", b"/x", [*headers, ID], Body(), 6, chunked=False, max_body=9)
    request.base, request.lines = base, lines + b"x-request-id: req_1\r\n"
    return request


@pytest.mark.parametrize(
    "headers", [[], [(b"X-Many", b"1"), (b"a", b"gr\xfc\xdfe"), (b"x-many", b"2")]], ids=["none", "many"]
)
async def test_they_are_what_would_be_built(autojump_clock: MockClock, network: Network, headers: Headers) -> None:
    """Byte for byte."""
    provider = Provider(network, prompt)
    way = upstream(network)
    base, lines = way.checked("POST", b"/x", headers)
    for each in (base, None):
        async with way.send(known(each, lines, headers), nothing) as response:
            await whole(response)
    [both] = provider.heard
    assert both[: len(both) // 2] == both[len(both) // 2 :]
    assert both.startswith(b"POST /v1/x HTTP/1.1\r\nhost: openai\r\n")
    assert both.count(b"x-request-id: req_1\r\ncontent-length: 6\r\n\r\n{}") == 2
    await way.aclose()


async def test_those_of_another_base_url_are_not_used(autojump_clock: MockClock, network: Network) -> None:
    """A request may be held while its provider's address changes."""
    provider = Provider(network, prompt)
    way = upstream(network, "http://elsewhere/old")
    base, lines = way.checked("POST", b"/x", [])
    way.move("http://openai/v1", network.way_out())
    async with way.send(known(base, lines, []), nothing) as response:
        await whole(response)
    assert provider.heard[0].startswith(b"POST /v1/x HTTP/1.1\r\nhost: openai\r\nx-request-id")
    await way.aclose()


@pytest.mark.parametrize("headers", [[(b"a", b"b\r\nc: d")], [(b"a\n", b"b")], [(b"a", b"\0")]])
async def test_there_are_none_of_a_head_that_would_end_early(
    autojump_clock: MockClock, network: Network, headers: Headers
) -> None:
    """It is refused with each request, as before."""
    way = upstream(network)
    assert way.checked("POST", b"/x", headers) == (None, b"")
    assert way.checked("POST", b"/x y", []) == (None, b"")
    await way.aclose()


@pytest.mark.parametrize("kept", [False, True], ids=["the caller's", "kept"])
async def test_the_end_of_a_body_is_asked_for_only_if_it_is_kept(
    autojump_clock: MockClock, network: Network, *, kept: bool
) -> None:
    """What the bridge keeps of a body is released at its end; behind a caller's own there is nothing."""
    Provider(network, prompt)
    way = upstream(network)
    request = known(None, b"", [])
    body = request.body
    assert isinstance(body, Body)
    request.from_caller = None if kept else body
    async with way.send(request, nothing) as response:
        await whole(response)
    assert body.asked == 1 + kept
    await way.aclose()
