"""A request and its reply as handlers see them."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from trio.testing import MockClock

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server import asgi
from aibridge_trio.server.asgi import AsgiBody
from tests.server.test_asgi import WHOLE, Server


def test_a_request_shows_neither_headers_nor_query() -> None:
    """Its repr may end up in a traceback."""
    request = Request("GET", b"/p", b"key=secret", [(b"authorization", b"secret")], None, None, asgi.AsgiBody())
    assert "secret" not in repr(request)


async def test_an_answer_of_our_own_is_sized_and_dated(autojump_clock: MockClock) -> None:
    """Beside the headers that it was given."""

    async def handler(_request: Request, reply: Reply) -> None:
        await reply.answer(200, [(b"a", b"1")], b"body")

    server = Server(WHOLE)
    await server.run(handler)
    headers = dict(server.sent[0]["headers"])
    assert headers.pop(b"date").endswith(b" GMT")
    assert parsedate_to_datetime(dict(server.sent[0]["headers"])[b"date"].decode()).year > 2000
    assert headers == {b"a": b"1", b"content-length": b"4"}
    assert (server.body, server.ended) == (b"body", True)


@pytest.mark.parametrize(
    ("headers", "added"),
    [
        ([], [(b"x-id", b"i"), (b"x-limit", b"9"), (b"x-left", b"8")]),
        ([(b"x-id", b"theirs")], [(b"x-limit", b"9"), (b"x-left", b"8")]),
        ([(b"X-ID", b"theirs")], [(b"x-limit", b"9"), (b"x-left", b"8")]),
        ([(b"x-left", b"1")], [(b"x-id", b"i")]),
        ([(b"X-Limit", b"1"), (b"x-id", b"theirs")], []),
        ([(b"x-idea", b"1")], [(b"x-id", b"i"), (b"x-limit", b"9"), (b"x-left", b"8")]),
    ],
)
async def test_an_offer_stands_as_a_whole_or_not_at_all(
    autojump_clock: MockClock, headers: Headers, added: Headers
) -> None:
    """Where a head brings one name of an offer, none of it is added: half of ours would contradict theirs."""

    async def handler(_request: Request, reply: Reply) -> None:
        reply.add_defaults([(b"x-id", b"i")])
        reply.add_defaults([(b"x-limit", b"9"), (b"x-left", b"8")])
        given = list(headers)
        await reply.start(200, given)
        assert given == headers

    server = Server(WHOLE)
    await server.run(handler)
    assert server.sent[0]["headers"] == [*headers, *added]


def test_headers_are_removed_by_name() -> None:
    """Every one of that name, from what is listed and what is looked up; the list that was given stays."""
    given = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"4")]
    request = Request("GET", b"/", b"", given, None, None, AsgiBody())
    request.remove({b"a", b"none"})
    assert request.headers == [(b"b", b"2"), (b"c", b"4")]
    assert (request.header(b"a"), request.header_values(b"a")) == (None, [])
    assert (request.header(b"b"), request.header_values(b"c")) == (b"2", [b"4"])
    assert len(given) == 4
