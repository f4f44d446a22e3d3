"""Parses providers' HTTP/1.1 responses, and writes requests to them. Pure.

A head is read as a whole (response_head), chunks by llhttp (httptools), which is strict: a bad chunk is an error.
This module adds what ends a body, what may not follow it, and limits.
"""

from __future__ import annotations

import httptools

from aibridge_trio.http.headers import MAX_HEAD, Headers
from aibridge_trio.http.response_head import Malformed, ResponseHead, read_head

# Responses without a body, whatever their headers say (RFC 9112, 6.3).
_BODILESS = (204, 304)
_FIRST_FINAL = 200
_BEGINNING = b"HTTP/1."
_END_OF_HEAD = b"\r\n\r\n"
_TOO_LONG = "its head is too long"
# What llhttp takes for the head of each chunked body.
_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class ResponseParser:
    """Parses one response. Feed it until it is `complete` or has an `error`; `head` is None until that is read.

    Interim responses (1xx) are skipped. `error` says why it cannot be read any further. `reusable` tells, once
    complete, whether another request may follow on the same connection; `reset` prepares for its response.
    """

    __slots__ = (
        "_chunks",
        "_decoder",
        "_excess",
        "_head_size",
        "_keeps_alive",
        "_overhead",
        "_remaining",
        "_to_head",
        "_unread",
        "complete",
        "error",
        "head",
    )

    def __init__(self, *, to_head: bool = False) -> None:
        self.reset(to_head=to_head)

    def reset(self, *, to_head: bool) -> None:
        """Begin the next response on the same connection."""
        self.head: ResponseHead | None = None
        self.complete = False
        self.error = ""
        self._to_head = to_head
        self._keeps_alive = False
        self._excess = False
        self._unread = b""  # the beginning of a head
        self._head_size = 0  # of the heads before it
        self._remaining: int | None = None  # of a body whose length is known, at last 0 or less
        self._chunks: _Chunks | None = None
        self._decoder: httptools.HttpResponseParser | None = None  # of the chunks
        self._overhead = 0  # of a chunked body, since its last byte

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self.complete and self._keeps_alive and not self._excess

    def feed(self, data: bytes) -> bytes:
        """Parse these bytes; return the part of the body in them."""
        if self.head is None:
            try:
                data = self._read_heads(data)
            except Malformed as error:
                self.error = str(error)
        if self.error or not data:
            return b""
        if self._chunks and not self.complete:
            return self._feed_chunks(data, self._chunks)
        if self._remaining is None:
            return data  # until the connection ends
        self._remaining = left = self._remaining - len(data)
        if left > 0:
            return data
        # Bytes behind the end belong neither to this response nor to the next.
        self.complete, self._excess = True, self._excess or left < 0
        return data[:left] if left else data

    def end(self) -> None:
        """Handle the end of the connection: the end of the body if it has no other framing, else an error."""
        self._keeps_alive = False
        if self.complete:
            return
        if self.head is None:
            self.error = "closed before the head"
        elif self._chunks is None and self._remaining is None and not self.error:
            self.complete = True
        else:
            self.error = "closed in the middle of the answer"

    def _read_heads(self, data: bytes) -> bytes:
        """Read all heads up to the final one, if they are there; return what follows it. Raises Malformed."""
        ends_line = b"\n" in data
        if self._unread:
            data = self._unread + data
        start = 0
        while (end := data.find(_END_OF_HEAD, start)) >= 0:
            self._head_size += end - start
            if self._head_size > MAX_HEAD:
                raise Malformed(_TOO_LONG)
            head = read_head(data[start:end])
            start = end + len(_END_OF_HEAD)
            if head.status >= _FIRST_FINAL:
                self._begin_body(head)
                self._unread = b""
                return data[start:]
        self._unread = beginning = data[start:]
        if beginning:
            self._check_beginning(beginning, lines=ends_line)
        return b""

    def _check_beginning(self, beginning: bytes, *, lines: bool) -> None:
        """Refuse what cannot become a head before its end; `lines`: one has ended. Raises Malformed."""
        if not beginning.startswith(_BEGINNING[: len(beginning)]):
            raise Malformed("Expected HTTP/1.1 and a status")
        if self._head_size + len(beginning) >= MAX_HEAD + len(_END_OF_HEAD):
            raise Malformed(_TOO_LONG)
        if lines and b"\n" in beginning:
            ended = beginning[: beginning.rindex(b"\n") + 1]
            read_head(ended.removesuffix(b"\r\n"))

    def _begin_body(self, head: ResponseHead) -> None:
        """Determine how the body ends."""
        self.head = head
        bodiless = head.status in _BODILESS
        if bodiless or self._to_head:
            self._remaining = 0
        elif head.chunked:
            self._chunks = _Chunks()
            self._decoder = httptools.HttpResponseParser(self._chunks)
            self._decoder.feed_data(_CHUNKED_HEAD)
        else:
            self._remaining = head.length
        self.complete = self._remaining == 0
        self._keeps_alive = head.keeps_alive and (bodiless or head.chunked or head.length is not None)

    def _feed_chunks(self, data: bytes, chunks: _Chunks) -> bytes:
        """Decode a part of a chunked body."""
        assert self._decoder is not None
        try:
            self._decoder.feed_data(data)
        except httptools.HttpParserError as error:
            if chunks.complete:
                chunks.excess = True
            else:
                self.error = str(error)
        self.complete, self._excess = chunks.complete, chunks.excess
        if self.complete:
            self._remaining = 0
        if pieces := chunks.pieces:
            self._overhead = 0
            chunks.pieces = []
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._overhead += len(data)
        if self._overhead > MAX_HEAD and not self.complete:
            self.error = "its trailers, or what extends a chunk, are too long"
        return b""


class _Chunks:
    """What llhttp finds in a chunked body. It does not refer to llhttp's parser: that would be a cycle."""

    __slots__ = ("complete", "excess", "pieces")

    def __init__(self) -> None:
        self.complete = self.excess = False
        self.pieces: list[bytes] = []

    def on_message_begin(self) -> None:
        """A second message is an excess (called by llhttp)."""
        if self.complete:
            self.excess = True

    def on_body(self, piece: bytes) -> None:
        """Add a piece of the body (called by llhttp)."""
        if self.complete:
            self.excess = True
        else:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        """End the body (called by llhttp)."""
        self.complete = True


def request_head(method: str, target: bytes, headers: Headers) -> bytes:
    """Return the head of a request. Raises Malformed if a part of it contains a line break, or is no ASCII."""
    if not method.isascii():
        raise Malformed("its method is not ASCII")
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), *map(b": ".join, headers), b"\r\n"]
    head = b"\r\n".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head or b" " in target:
        raise Malformed("a line of its head would end early")
    return head


def chunk(piece: bytes) -> bytes:
    """Return a chunk of a chunked body. An empty piece would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"
