"""HTTP/1.1 as bytes, on llhttp: what a provider answers, read; what it is asked, written. Pure.

llhttp (httptools) reads strictly: a bare LF, an obs-fold, Content-Length beside Transfer-Encoding, a bad chunk
are errors. What it leaves to its driver is here: answers to HEAD, bodies that end with the connection, bytes
behind the end, limits.
"""

from __future__ import annotations

from typing import NoReturn

import httptools

from aibridge_trio.http.headers import Headers

# A head in bytes and in lines, either way: what nginx and Node allow, times four. Providers send some thirty
# headers, SDKs some twenty.
MAX_HEAD = 64 * 1024
MAX_HEADERS = 256
# Answers without a body, whatever their headers say (RFC 9112, 6.3).
_BODILESS = (204, 304)
_FIRST_STATUS, _FIRST_FINAL_STATUS = 100, 200
_SWITCHING_PROTOCOLS = 101
_SWITCHES = "it switches protocols, and was not asked to"


class Malformed(Exception):
    """These bytes are no HTTP/1.1; `str()` says reason."""


class ResponseParser:
    """Parses one response. Feed it until it is `complete` or has an `error`; `status` is 0 until the head is read.

    Interim answers (1xx) are passed over. `error` says why it cannot be read any further. `length` is
    how long its head says the body is, None where something else ends it. `reusable` tells, once complete, whether
    another request may follow on the same connection; its answer is read here too, behind a call of `reset`.
    """

    def __init__(self, *, to_head: bool = False) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._begin(to_head=to_head)

    def reset(self, *, to_head: bool) -> None:
        """Begin the next answer on the same connection."""
        if self._to_head:  # llhttp waits for a body that never came
            self._parser = httptools.HttpResponseParser(self)
        self._begin(to_head=to_head)

    def close(self) -> None:
        """Let go of the parser, which holds this as well as is held by it. Nothing more can be fed."""
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
        """Whether nothing speaks against another request on the same connection."""
        return self.complete and self._keeps_alive and not self._excess

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return what these bytes hold of the body."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.error = _SWITCHES
        except httptools.HttpParserError as error:
            # What comes behind the end is no part of this answer, nor of the next.
            self._excess = True
            if not self.complete:
                # httptools puts an error of its own in the place of ours.
                self.error = self._error or str(error)
        pieces = self._pieces
        if not pieces:
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body

    def end(self) -> None:
        """Take the end of the connection: for the end of the body if that is how it ends, else for a break."""
        self._keeps_alive = False
        if self._until_close:
            self.complete = True
        elif not self.complete:
            self.error = "closed in the middle of the answer" if self.status else "closed before the head"

    def _reject(self, reason: str) -> NoReturn:
        self._error = reason
        raise Malformed(reason)

    def on_message_begin(self) -> None:
        """See the beginning of an answer; there is but one, after interim ones (llhttp calls this)."""
        self._interim = False
        if self.complete:
            self._excess = True

    def on_status(self, phrase: bytes) -> None:
        """Count what nobody reads (llhttp calls this)."""
        self._head_size += len(phrase)
        if self._head_size > MAX_HEAD:
            self._reject("its head is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head; those behind the body are counted and dropped (llhttp calls this)."""
        self._head_size += len(name) + len(value) + 4
        if self._head_size > MAX_HEAD or len(self.headers) == MAX_HEADERS:
            self._reject("its head is too long")
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide how the body ends (llhttp calls this)."""
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
            # llhttp cannot be told, and would take what follows for the body.
            self.complete = True
        self.status = status

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body (llhttp calls this)."""
        if self.complete:
            self._excess = True
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """See the end (llhttp calls this)."""
        self.complete = self.complete or not self._interim


def request_head(method: str, target: bytes, headers: Headers) -> bytes:
    """The head of a request. Raises Malformed if a part of it would end a line."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), target), *map(b": ".join, headers), b"\r\n"]
    head = b"\r\n".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head or b" " in target:
        raise Malformed("a line of its head would end early")
    return head


def chunk(piece: bytes) -> bytes:
    """A piece of a chunked body; an empty one would end it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"


class RequestFraming:
    """How a request's body goes out, by its headers: counted, chunked, or not at all.

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
        """Whether the body has its announced length; a chunked one is whole with its `end` only."""
        return not self._chunked and not self._remaining

    def frame(self, piece: bytes) -> bytes:
        """A piece as it goes out."""
        if self._chunked:
            return chunk(piece) if piece else b""
        if len(piece) > self._remaining:
            raise Malformed("more of a body than its head announces")
        self._remaining -= len(piece)
        return piece

    def end(self) -> bytes:
        """What goes out behind the last piece."""
        if self._remaining:
            raise Malformed("less of a body than its head announces")
        return LAST_CHUNK if self._chunked else b""
