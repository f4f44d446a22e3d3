"""How an answer goes out in HTTP/1.1: its head, its pieces, its end. Pure.

An application says what it answers; where the answer ends is said here: by its length if it gave one, else by
chunks, in HTTP/1.0 by the end of the connection. What contradicts its own framing never goes out as a whole.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_parser import LAST_CHUNK, chunk

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
_FIRST_FINAL, _LAST = 200, 999
_NO_CONTENT, _NOT_MODIFIED = 204, 304
_DECIDING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


class Misframed(Exception):
    """The application contradicts itself; `str()` says how, and quotes nothing."""


class ResponseFraming:
    """One answer on its way out. `closes` tells whether the connection ends with it.

    `whole` tells that all of a sized body, or of an answer without one, has been given: with these bytes on the
    wire the answer looks complete.
    """

    def __init__(self, *, to_head: bool, version: str, closes: bool) -> None:
        self.closes = closes
        self._to_head = to_head
        self._old = version == "1.0"
        self._bodiless = False
        self._left: int | None = None

    @property
    def whole(self) -> bool:
        """Whether what was given so far looks complete to a reader."""
        return self._bodiless or self._left == 0

    def begin(self, status: int, headers: Headers) -> bytes:
        """The head. Raises Misframed."""
        if not _FIRST_FINAL <= status <= _LAST:
            raise Misframed("this is no final status")
        self._bodiless = self._to_head or status in (_NO_CONTENT, _NOT_MODIFIED)
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        for name, value in headers:
            if name.lower() not in _DECIDING or self._passes(status, name.lower(), value):
                lines.append(b"%b: %b\r\n" % (name, value))
        if self._left is None and not self._bodiless:
            if self._old:
                self.closes = True
            else:
                lines.append(b"Transfer-Encoding: chunked\r\n")
        if self.closes:
            lines.append(b"Connection: close\r\n")
        head = b"".join(lines)
        if not head.count(b"\n") == head.count(b"\r") == len(lines) or b"\0" in head:
            raise Misframed("a line of its head would end early")
        return head + b"\r\n"

    def _passes(self, status: int, name: bytes, value: bytes) -> bool:
        """Read a header for what it says of the framing; tell whether it goes out as it is."""
        if name == b"content-length":
            if self._left is not None or not value.isdigit():
                raise Misframed("its Content-Length is no number, or said twice")
            self._left = int(value)
            return status != _NO_CONTENT
        if name == b"connection" and b"close" in value.lower():
            self.closes = True
            return False
        return name != b"transfer-encoding"

    def piece(self, data: bytes) -> bytes:
        """A piece of the body. Raises Misframed."""
        if self._bodiless or not data:
            return b""
        if self._left is None:
            return data if self._old else chunk(data)
        if len(data) > self._left:
            raise Misframed("it is longer than its Content-Length")
        self._left -= len(data)
        return data

    def end(self) -> bytes:
        """What goes out behind the last piece. Raises Misframed."""
        if self._bodiless or (self._old and self._left is None):
            return b""
        if self._left:
            raise Misframed("it is shorter than its Content-Length")
        return LAST_CHUNK if self._left is None else b""


def refusal(status: int, why: str) -> bytes:
    """A whole answer that the connection gives by itself, before or instead of the application; it is the last."""
    body = f"{HTTPStatus(status).phrase}: {why}\n".encode("ascii")
    date = formatdate(usegmt=True).encode("ascii")
    framing = ResponseFraming(to_head=False, version="1.1", closes=True)
    headers = [(b"date", date), (b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    return framing.begin(status, headers) + framing.piece(body)
