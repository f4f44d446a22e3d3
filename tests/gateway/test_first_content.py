"""The beginning of an answer: which one is a pushback, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.gateway import first_content
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.upstream.exchange import Response

SSE = [(b"content-type", b"text/event-stream")]
START = b'data: {"type":"message_start"}\n\n'
CREATED = b'data: {"type":"response.created"}\n\ndata: {"type":"response.in_progress"}\n\n'
CONTENT = b'data: {"type":"content_block_delta"}\n\n'
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
INVALID = b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error"}}\n\n'


class Spoken:
    """An answer without a connection: pieces, each after so many seconds."""

    def __init__(
        self,
        status: int,
        pieces: Sequence[bytes],
        *,
        pause: float = 0,
        headers: Headers = SSE,
        resumable: bool = True,
    ) -> None:
        self.head, self.resumable = ResponseHead(status, headers), resumable
        self.length = None
        self.buffered = False
        self._pieces, self._pause = list(pieces), pause

    async def wait(self) -> None:
        """Wait for the next piece."""
        await trio.sleep(self._pause)

    async def read(self) -> bytes:
        """Return it."""
        return self._pieces.pop(0) if self._pieces else b""


def spoken(
    status: int, *pieces: bytes, pause: float = 0, headers: Headers = SSE, resumable: bool = True
) -> Response:
    """Return an answer."""
    return cast("Response", Spoken(status, pieces, pause=pause, headers=headers, resumable=resumable))


async def all_of(opening: Opening) -> bytes:
    """Read an answer to its end."""
    body = b""
    while piece := await opening.read():
        body += piece
    return body


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ([START, ERROR], Verdict.FAILURE),
        ([ERROR], Verdict.FAILURE),
        ([CREATED, ERROR], Verdict.FAILURE),
        ([START[:9], START[9:] + ERROR[:30], ERROR[30:]], Verdict.FAILURE),
        ([START, INVALID], None),
        ([START, CONTENT, ERROR], None),
        ([START + CONTENT + ERROR], None),
        ([START, b'data: {"type":"ping"}\n\n', ERROR], None),
        ([START, b": ping\n\n", ERROR], None),
        ([b"data: [DONE]\n\n", ERROR], None),
        ([START], None),
        ([], None),
    ],
)
async def test_an_overload_before_content_is_a_pushback(
    autojump_clock: MockClock, pieces: list[bytes], found: Verdict | None
) -> None:
    """Not behind content, a ping or any other event; and nothing of the stream is lost."""
    opening = Opening(spoken(200, *pieces))
    evidence = await opening.read_until_content()
    assert (evidence and evidence.verdict) == found
    assert await all_of(opening) == b"".join(pieces)


async def test_what_is_held_back_of_a_stream_is_bounded(autojump_clock: MockClock) -> None:
    """In time and in size; what has come is there at once, and the rest follows."""
    opening = Opening(spoken(200, START, ERROR, pause=7))
    assert await opening.read_until_content() is None
    assert trio.current_time() == 10
    assert opening.buffered
    assert await all_of(opening) == START + ERROR
    many = [START] * 100_000
    opening = Opening(spoken(200, *many))
    assert await opening.read_until_content() is None
    assert len(opening._pieces) * len(START) < 300_000


@pytest.mark.parametrize(
    ("status", "body", "pushback"),
    [
        (529, b'{"type":"error"}', Evidence(Verdict.FAILURE, "529", overload=True)),
        (503, b"", Evidence(Verdict.FAILURE, "503", overload=True)),
        (429, b"slow down", Evidence(Verdict.FAILURE, "429", overload=True, quota=True)),
        (429, b'{"error":{"code":"insufficient_quota"}}', None),
    ],
)
async def test_a_refusal_is_read_to_its_end(
    autojump_clock: MockClock, status: int, body: bytes, pushback: Evidence | None
) -> None:
    """It is a pushback unless waiting does not help; its bytes are there for the caller."""
    opening = Opening(spoken(status, body[:5], body[5:]) if body else spoken(status))
    assert await opening.read_refusal() == pushback
    assert opening.complete
    assert await all_of(opening) == body


async def test_a_refusal_without_an_end_is_not_complete(autojump_clock: MockClock) -> None:
    """After five seconds, or 64 KiB: what has come is kept. Through a proxy the rest would be lost: a fault."""
    for opening in (
        Opening(spoken(503, b"a", b"b", pause=3)),
        Opening(spoken(503, *[b"x" * 1000] * 100)),
    ):
        assert await opening.read_refusal()
        assert not opening.complete
        assert opening.buffered
    with pytest.raises(UpstreamFault):
        await Opening(spoken(503, b"a", b"b", pause=3, resumable=False)).read_refusal()


def test_which_streams_are_held_back() -> None:
    """Streams that can be read, of a call that loses nothing by a timeout."""
    assert first_content.streams(spoken(200))
    assert not first_content.streams(spoken(200, resumable=False))
    assert not first_content.streams(spoken(500))
    assert not first_content.streams(spoken(200, headers=[(b"content-type", b"application/json")]))
    assert not first_content.streams(spoken(200, headers=[*SSE, (b"content-encoding", b"gzip")]))
    assert [first_content.cause(spoken(status)) for status in (429, 503, 529, 200)] == [
        "429",
        "503",
        "529",
        "overload",
    ]
