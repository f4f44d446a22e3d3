"""Parses providers' HTTP/1.1 responses with llhttp, and writes requests to them. Pure.

llhttp (httptools) is strict: a bare LF, an obs-fold, Content-Length beside Transfer-Encoding, or a bad chunk is an
error. This module adds what llhttp leaves to its caller: responses to HEAD, bodies that end with the connection,
bytes behind the end, and limits.
"""

from __future__ import annotations

from typing import NoReturn

import httptools

from aibridge_trio.http.headers import Headers

# The limits for a head, of requests and responses, in bytes and in lines: four times those of nginx and Node.
# Providers send some thirty headers, SDKs some twenty.
MAX_HEAD = 64 * 1024
MAX_HEADERS = 256
# Responses without a body, whatever their headers say (RFC 9112, 6.3).
_BODILESS = (204, 304)
_FIRST_STATUS, _FIRST_FINAL_STATUS = 100, 200
_SWITCHING_PROTOCOLS = 101
_SWITCHES = "it switches protocols, and was not asked to"


class Malformed(Exception):
    """A message is not valid HTTP/1.1; `str()` says why."""


class ResponseParser:
    """Parses one response. Feed it until it is `complete` or has an `error`; `status` is 0 until the head is read.

    Interim responses (1xx) are skipped. `error` says why it cannot be read any further. `length` is
    how long its head says the body is, None where something else ends it. `reusable` tells, once complete, whether
    another request may follow on the same connection; `reset` prepares for its response.
    """

    def __init__(self, *, to_head: bool = False) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._begin(to_head=to_head)

    def reset(self, *, to_head: bool) -> None:
        """Begin the next response on the same connection."""
        if self._to_head:  # llhttp waits for a body that never came
            self._parser = httptools.HttpResponseParser(self)
        self._begin(to_head=to_head)

    def close(self) -> None:
        """Break the reference cycle with llhttp's parser. Nothing can be fed any more."""
        del self._parser

    def _begin(self, *, to_head: bool) -> None:
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self.complete = False
        self.error = ""
        self._to_head = to_head
        self._keeps_alive = False
        self._until_close = False
        self._excess = False
        self._interim = False
        self._error = ""
        self._head_size = 0
        self._pieces: list[bytes] = []

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self.complete and self._keeps_alive and not self._excess

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Parse these bytes; return the part of the body in them."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.error = _SWITCHES
        except httptools.HttpParserError as error:
            # Bytes behind the end belong neither to this response nor to the next.
            self._excess = True
            if not self.complete:
                # httptools replaces our exception by its own.
                self.error = self._error or str(error)
        pieces = self._pieces
        if not pieces:
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body

    def end(self) -> None:
        """Handle the end of the connection: the end of the body if it has no other framing, else an error."""
        self._keeps_alive = False
        if self._until_close:
            self.complete = True
        elif not self.complete:
            self.error = "closed in the middle of the answer" if self.status else "closed before the head"

    def _reject(self, reason: str) -> NoReturn:
        self._error = reason
        raise Malformed(reason)

    def on_message_begin(self) -> None:
        """Begin a response; a second one after a final one is an excess (called by llhttp)."""
        self._interim = False
        if self.complete:
            self._excess = True

    def on_status(self, phrase: bytes) -> None:
        """Count the reason phrase towards the head's limit (called by llhttp)."""
        self._head_size += len(phrase)
        if self._head_size > MAX_HEAD:
            self._reject("its head is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers are counted and dropped (called by llhttp)."""
        self._head_size += len(name) + len(value) + 4
        if self._head_size > MAX_HEAD or len(self.headers) == MAX_HEADERS:
            self._reject("its head is too long")
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Determine how the body ends (called by llhttp)."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            if status == _SWITCHING_PROTOCOLS:
                self._reject(_SWITCHES)
            if status < _FIRST_STATUS:
                self._reject("its status is none")
            self._interim = True
            self.headers.clear()
            return
        chunked = False
        for name, value in self.headers:
            name = name.lower()  # noqa: PLW2901 - the name as it came is of no use here
            if name == b"content-length":
                self.length = int(value)
            elif name == b"transfer-encoding":
                if chunked or value.strip().lower() != b"chunked":
                    self._reject("its transfer encoding is not chunked")
                chunked = True
        self._until_close = not chunked and self.length is None and status not in _BODILESS
        self._keeps_alive = self._parser.should_keep_alive()
        if self._to_head:
            # llhttp has no way to learn this, and would take what follows for the body.
            self.complete = True
        self.status = status

    def on_body(self, body: bytes) -> None:
        """Add a piece of the body (called by llhttp)."""
        if self.complete:
            self._excess = True
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """End the response, unless it is an interim one (called by llhttp)."""
        self.complete = self.complete or not self._interim


def request_head(method: str, target: bytes, headers: Headers) -> bytes:
    """Return the head of a request. Raises Malformed if a part of it contains a line break."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), target), *map(b": ".join, headers), b"\r\n"]
    head = b"\r\n".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head or b" " in target:
        raise Malformed("a line of its head would end early")
    return head


def chunk(piece: bytes) -> bytes:
    """Return a chunk of a chunked body. An empty piece would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"


class RequestFraming:
    """Frames a request's body as its headers say: by length, in chunks, or no body.

    Raises Malformed if the body is longer or shorter than its head announces.
    """

    def __init__(self, headers: Headers) -> None:
        self._remaining = 0
        self._chunked = False
        for name, value in headers:
            match name.lower():
                case b"content-length":
                    self._remaining = int(value)
                case b"transfer-encoding":
                    self._chunked = True

    @property
    def complete(self) -> bool:
        """Whether the body has its announced length; a chunked one is complete only with its `end`."""
        return not self._chunked and not self._remaining

    def frame(self, piece: bytes) -> bytes:
        """Return a piece as it is sent."""
        if self._chunked:
            return chunk(piece) if piece else b""
        if len(piece) > self._remaining:
            raise Malformed("more of a body than its head announces")
        self._remaining -= len(piece)
        return piece

    def end(self) -> bytes:
        """Return what is sent after the last piece."""
        if self._remaining:
            raise Malformed("less of a body than its head announces")
        return LAST_CHUNK if self._chunked else b""
