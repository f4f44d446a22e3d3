"""Frames HTTP/1.1 responses to callers: head, pieces, end. Pure.

The framing is determined here: by the Content-Length that the application sets, else by chunks, in HTTP/1.0 by the
end of the connection. A response that contradicts its own framing never looks complete.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from aibridge_trio.http.headers import LOWER, Headers
from aibridge_trio.http.response_parser import LAST_CHUNK

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
_FIRST_FINAL, _LAST = 200, 999
_NO_CONTENT, _NOT_MODIFIED = 204, 304
_FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding", b"connection"})


class FramingError(Exception):
    """The application's response contradicts its own framing; `str()` says how, without quoting it."""


class ResponseFraming:
    """The framing of one response.

    `closes` says whether the connection ends with it, `complete` whether the bytes so far look like a complete
    response: the body has its length, or there is none.
    """

    __slots__ = ("_bodiless", "_http10", "_remaining", "_to_head", "closes", "complete")

    def __init__(self, *, to_head: bool, version: str, closes: bool) -> None:
        self.closes = closes
        self.complete = False
        self._to_head = to_head
        self._http10 = version == "1.0"
        self._bodiless = False
        self._remaining: int | None = None

    def head(self, status: int, headers: Headers) -> bytes:
        """Return the head. Raises FramingError."""
        if not _FIRST_FINAL <= status <= _LAST:
            raise FramingError("this is no final status")
        self._bodiless = self._to_head or status in (_NO_CONTENT, _NOT_MODIFIED)
        lines = [
            b"%b: %b\r\n" % header
            for header in headers
            if LOWER[header[0]] not in _FRAMING_HEADERS or self._keeps(status, *header)
        ]
        if self._remaining is None and not self._bodiless:
            if self._http10:
                self.closes = True
            else:
                lines.append(b"Transfer-Encoding: chunked\r\n")
        if self.closes:
            lines.append(b"Connection: close\r\n")
        block = b"".join(lines)
        if not block.count(b"\n") == block.count(b"\r") == len(lines) or b"\0" in block:
            raise FramingError("a line of its head would end early")
        self.complete = self._bodiless or self._remaining == 0
        return b"%b%b\r\n" % (_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, block)

    def _keeps(self, status: int, name: bytes, value: bytes) -> bool:
        """Apply a framing header; return whether it is sent as it is."""
        name = LOWER[name]
        if name == b"content-length":
            if self._remaining is not None or not value.isdigit():
                raise FramingError("its Content-Length is no number, or said twice")
            self._remaining = int(value)
            return status != _NO_CONTENT
        if name == b"connection" and b"close" in value.lower():
            self.closes = True
            return False
        return name != b"transfer-encoding"

    def frame(self, data: bytes) -> bytes:
        """Return a piece of the body as it is sent. Raises FramingError."""
        if self._bodiless or not data:
            return b""
        if self._remaining is None:
            return data if self._http10 else b"%x\r\n%b\r\n" % (len(data), data)
        if len(data) > self._remaining:
            raise FramingError("it is longer than its Content-Length")
        self._remaining -= len(data)
        self.complete = not self._remaining
        return data

    def end(self) -> bytes:
        """Return what is sent after the last piece. Raises FramingError."""
        if self._bodiless or (self._http10 and self._remaining is None):
            return b""
        if self._remaining:
            raise FramingError("it is shorter than its Content-Length")
        return LAST_CHUNK if self._remaining is None else b""


class WholeFraming(ResponseFraming):
    """The framing of responses that are there as a whole, head and body: nothing can be added to them."""

    __slots__ = ()

    def __init__(self, *, closes: bool) -> None:
        super().__init__(to_head=False, version="1.1", closes=closes)
        self._remaining, self.complete = 0, True


# By whether the connection ends with them.
WHOLE = {closes: WholeFraming(closes=closes) for closes in (False, True)}


def whole_response(status: int, lines: bytes, body: bytes, *, closes: bool) -> bytes:
    """Return a response: the lines of its head, which say nothing of its framing, and its body."""
    start = _STATUS_LINES[status] if status in _STATUS_LINES else b"HTTP/1.1 %d \r\n" % status
    return b"%b%b%b\r\n%b" % (start, lines, b"Connection: close\r\n" if closes else b"", body)


def error_response(status: int, reason: str) -> bytes:
    """Return a complete response from the server itself, not the application; it closes the connection."""
    body = f"{HTTPStatus(status).phrase}: {reason}\n".encode("ascii")
    framing = ResponseFraming(to_head=False, version="1.1", closes=True)
    headers = [
        (b"date", formatdate(usegmt=True).encode("ascii")),
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(body)),
    ]
    return framing.head(status, headers) + framing.frame(body)
