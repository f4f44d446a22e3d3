"""A reply that comments keep alive: as it is without one, and what follows one."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.gateway.held_stream import HeldStream
from aibridge_trio.gateway.replay import BodyCopy
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import TransportedReply
from tests.support.handlers import JSON, SSE


class Streamed:
    """A body that asks for a stream."""

    max_body = 100

    def pieces(self) -> tuple[bytes, ...]:
        """Return all of it."""
        return (b'{"stream": true}',)


class Written(TransportedReply):
    """A reply that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: Headers = []
        self.body = b""

    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:
        self.headers = headers

    async def _send(self, piece: bytes) -> None:
        self.body += piece

    async def _end(self) -> None:
        self.ended = True


async def test_without_a_comment_it_is_the_reply() -> None:
    """Status, headers, body and end pass through, with the headers that others add."""
    reply = Written()
    held = HeldStream(reply, 5.0)
    held.add_defaults([(b"a", b"1")])
    held.override([(b"b", b"2")])
    held.add((b"c", b"3"))
    await held.answer(404, JSON, b"{}")
    assert (reply.status, reply.body, reply.ended, reply.sent) == (404, b"{}", True, 2)
    assert {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")} <= set(reply.headers)


async def test_comments_are_never_sent_in_a_burst(autojump_clock: MockClock) -> None:
    """A request that is held again after a while gets one at once, and not those of the time between."""
    reply = Written()
    held = HeldStream(reply, 5.0)
    body = cast("BodyCopy", Streamed())
    for seconds, comments in ((12, 2), (3, 3), (3, 4)):
        with trio.move_on_after(seconds):
            await held.wait(trio.Event(), [], body)
        assert reply.body == b": held\n\n" * comments
        await trio.sleep(60)


async def test_behind_comments_a_stream_goes_on() -> None:
    """The first comment begins the stream, the provider's head is dropped, its body follows."""
    reply = Written()
    held = HeldStream(reply, 5.0)
    await held.comment()
    await held.comment()
    assert not held.started
    await held.start(200, SSE)
    await held.send(b"data: 1\n\n")
    await held.end()
    assert (reply.status, reply.body) == (200, b": held\n\n: held\n\ndata: 1\n\n")
    assert (b"content-type", b"text/event-stream") in reply.headers


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (529, JSON, b'{"type":"error","error":{"type":"overloaded_error"}}', {"type": "overloaded_error"}),
        (503, JSON, b'{"error":{"code":"hold_timeout"}}', {"code": "hold_timeout"}),
        (502, [], b"<html>", {"type": "api_error", "message": "the provider answered 502 in place of a stream"}),
        (
            200,
            JSON,
            b'{"id":"1"}',
            {"type": "api_error", "message": "the provider answered 200 in place of a stream"},
        ),
    ],
)
async def test_behind_comments_what_is_no_stream_is_an_error_event(
    status: int, headers: Headers, body: bytes, error: dict[str, Any]
) -> None:
    """Its error in an event of type `error`, and then the stream ends."""
    reply = Written()
    held = HeldStream(reply, 5.0)
    await held.comment()
    await held.answer(status, headers, body)
    _, _, event = reply.body.partition(b": held\n\nevent: error\ndata: ")
    document = json.loads(event)
    assert (document["type"], document["error"], document["code"]) == ("error", error, error.get("code"))
    assert reply.ended


async def test_an_error_that_becomes_an_event_is_bounded() -> None:
    """However long the provider's error is."""
    reply = Written()
    held = HeldStream(reply, 5.0)
    await held.comment()
    await held.start(500, JSON)
    for _ in range(1000):
        await held.send(b"x" * 1000)
    await held.end()
    assert len(reply.body) < 1000
    assert held._error is not None
    assert len(held._error) < 70_000
