"""The beginning of an answer, read before any of it goes to the caller: it may be a pushback.

A complete 429, 503 or 529 is one, unless its error says that waiting does not help. So is an event that means
overload before the first content of a stream. What is read ahead is bounded in size and time, and goes to the
caller unchanged if it is none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import trio

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import PushbackCause
from aibridge_trio.http import headers as h
from aibridge_trio.http import sse
from aibridge_trio.http.decompression import decompressor
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.upstream.exchange import Response

# What is read of an error (bytes), and how long (seconds): it comes with its head.
_MOST_OF_ERROR = 64 * 1024
_ERROR_TIME = 5.0
# What is held back of a stream (bytes): `response.created` repeats the instructions and tools of the request. And
# for how long (seconds): an overload is reported sooner.
_MOST_OF_STREAM = 256 * 1024
_STREAM_TIME = 10.0
_CAUSES: dict[int, PushbackCause] = {429: "429", 503: "503", 529: "529"}


class Opening:
    """An answer of which the beginning has been read; `complete` if that was all of it."""

    def __init__(self, response: Response) -> None:
        self.complete = False
        self.head = response.head
        self._response = response
        self._pieces: deque[bytes] = deque()  # a quarter of a million, if they have one byte
        self._error: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, answer: Response | Opening) -> Opening:
        """Return the opening of an answer of which something may have been read already."""
        return answer if isinstance(answer, Opening) else cls(answer)

    @property
    def buffered(self) -> bool:
        """See Response."""
        return bool(self._pieces) or self.complete or self._response.buffered

    async def read(self) -> bytes:
        """Return the next piece, from the beginning of the body; b"" at a clean end."""
        if self._pieces:
            return self._pieces.popleft()
        return b"" if self.complete else await self._response.read()

    async def read_refusal(self) -> Evidence | None:
        """Read an error with an overload status; return the pushback, None if waiting does not help."""
        evidence = verdict.of_body(self.head.status, await self.read_error())
        return evidence if evidence.verdict is Verdict.FAILURE else None

    async def read_error(self) -> Mapping[str, Any]:
        """Read an error, and return its document; empty if it is no JSON object, or does not end in time."""
        if self._error is not None:
            return self._error
        size = 0
        with trio.move_on_after(_ERROR_TIME) as timeout:
            while size <= _MOST_OF_ERROR and (piece := await self._read_ahead()):
                size += len(piece)
        if timeout.cancelled_caught and not self._response.resumable:
            raise UpstreamFault("stream", "its error did not come to an end", timeout=True)
        self._error = verdict.parse(_decoded(b"".join(self._pieces), self.head) if self.complete else b"")
        return self._error

    async def read_until_content(self) -> Evidence | None:
        """Read a stream until its first content, a ping or a bound; return the pushback, None without one."""
        parser, size = sse.Parser(), 0
        with trio.move_on_after(_STREAM_TIME):
            while size <= _MOST_OF_STREAM and (piece := await self._read_ahead()):
                size += len(piece)
                for event in parser.feed(piece):
                    document = verdict.parse(event.data)
                    if verdict.is_preamble(document):
                        continue
                    evidence = verdict.of_event(event.name, document)
                    return evidence if evidence and evidence.verdict is Verdict.FAILURE else None
                if piece.startswith(b":") or b"\n:" in piece:  # a comment: a ping of providers without ping events
                    return None
        return None

    async def stop_upload(self) -> None:
        """See Response."""
        await self._response.stop_upload()

    async def _read_ahead(self) -> bytes:
        await self._response.wait()  # which may time out; what follows does not wait
        piece = await self._response.read()
        if piece:
            self._pieces.append(piece)
        else:
            self.complete = True
        return piece


def _decoded(body: bytes, head: ResponseHead) -> bytes:
    """Return an error without its content coding; empty if that is not read here, or unpacks to too much."""
    if head.unencoded:
        return body
    coding = (h.find(head.headers, b"content-encoding") or b"").strip().lower()
    unpacked = bytearray()
    if found := decompressor(coding):
        try:
            for piece in found.feed(body):
                unpacked += piece
                if len(unpacked) > _MOST_OF_ERROR:
                    return b""
        except ValueError:
            return b""
    return bytes(unpacked)


def streams(response: Response) -> bool:
    """Return whether an answer is a stream of events that can be read, and read ahead for a bounded time."""
    return (
        response.resumable
        and response.head.status < verdict.ERRORS_FROM
        and response.head.media_type == "text/event-stream"
        and response.head.unencoded
    )


def cause(response: Response | Opening) -> PushbackCause:
    """Return the name of an answer's pushback."""
    return _CAUSES.get(response.head.status, "overload")
