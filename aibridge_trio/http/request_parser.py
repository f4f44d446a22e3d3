"""Parses callers' HTTP/1.1 requests with llhttp: bytes in, events out. Pure.

llhttp (httptools) is strict: a bare LF, an obs-fold, a NUL, Content-Length beside Transfer-Encoding, or a bad
chunk is an error. This module adds what llhttp leaves to its caller: `chunked` is the only transfer coding, and
none is allowed in HTTP/1.0; exactly one Host; limits; and a stop after each request, because llhttp would parse a
whole pipeline at once. A head that is the same as the last one is not parsed again: see `request_head`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

import httptools

from aibridge_trio.http.headers import LOWER, MAX_HEAD, MAX_HEADERS, Headers
from aibridge_trio.http.request_head import Head, LastHead, remember

# What a chunked body may hold beside data and chunk sizes (bytes): extensions and trailers, which are ignored.
_MAX_OVERHEAD = 16 * 1024
_CHUNK_OVERHEAD = 32
# Heads and chunks are fed up to an empty line, so at most this many bytes (some ten requests) are parsed ahead.
_STRIDE = 256

_CHUNKED = b"transfer-encoding: chunked"
_FRAMING_HEADERS = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
# No character that another reader could take for a second host or the start of a path.
_HOST = re.compile(rb"[^\x00-\x20\x7f-\xff,/?#\\]*")

BAD_REQUEST = 400
HEAD_TOO_LONG = 431
_VERSION_UNKNOWN = 505


@dataclass(slots=True)
class Data:
    """A part of a body."""

    data: bytes

    def __repr__(self) -> str:
        return f"<Data {len(self.data)}>"


class EndOfRequest(NamedTuple):
    """The end of a request."""


class InvalidRequest(NamedTuple):
    """The bytes are no request, or exceed a limit: the status to respond with, and why. The last event."""

    status: int
    reason: str


Event = Head | Data | EndOfRequest | InvalidRequest
_END: Final = EndOfRequest()


class RequestParser:
    """Parses all requests of one connection.

    `has_buffered`: bytes behind the end of a request are kept for the next call of `feed`. `head_begun`: part of
    a head has come. `closed`: no more requests are read on this connection.
    """

    def __init__(self) -> None:
        self.has_buffered = self.head_begun = self.closed = False
        self._buffer, self._buffer_from = b"", 0  # what is kept, from this position on
        self._events: list[Event] = []
        self._pieces: list[bytes] = []
        self._error: InvalidRequest | None = None
        self._parser: httptools.HttpRequestParser | None = None  # only while it is needed
        self._head_size = 0  # bytes of the head that is being read
        self._in_body = False
        self._remaining: int | None = 0
        self._closes = self._body_skipped = False
        self._overhead = 0
        self._last_head: LastHead | None = None
        self._unparsed = 0  # bytes of a body that are still to come, and that llhttp does not get
        self._target, self._headers = b"", Headers()

    @property
    def unfinished_head(self) -> int:
        """The size so far (bytes) of a head that is not complete."""
        return self._head_size if self.head_begun else 0

    def close(self) -> None:
        """Break the reference cycle with llhttp's parser. Nothing can be fed any more."""
        self._parser = None

    def feed(self, data: bytes = b"") -> list[Event]:
        """Return the events in these bytes and those kept from before, up to the end of a request."""
        at = 0
        if self._buffer:
            if data:
                data = self._buffer[self._buffer_from :] + data
            else:
                data, at = self._buffer, self._buffer_from
        events = self._events
        if self._unparsed:
            at = self._read_unparsed(data, at, self._unparsed)
        elif self._in_body or self.head_begun or self._head_size:
            at = self._parse(data, at)
        elif self._last_head and not self.closed and (same := self._last_head.match(data, at)):
            head, at = same
            events.append(head)
            at = self._read_unparsed(data, at, head.length or 0)
        else:
            begin, at = at, self._parse(data, at)
            if events and isinstance(first := events[0], Head):
                self._last_head = remember(first, data, begin)
                if self._last_head and events[-1] is _END and not self.head_begun:
                    self._parser = None
        self._buffer, self._buffer_from = (b"", 0) if self.closed or at == len(data) else (data, at)
        self.has_buffered = self._buffer != b""
        self._events = []
        return events

    def _read_unparsed(self, data: bytes, at: int, length: int) -> int:
        """Read a body whose head was not parsed, by its length; llhttp waits for the next head meanwhile."""
        piece = data[at : at + length]
        self._unparsed = length - len(piece)
        data_events = (Data(piece),) if piece else ()
        self._events += data_events if self._unparsed else (*data_events, _END)
        return at + length - self._unparsed

    def _parse(self, data: bytes, at: int) -> int:
        size, events = len(data), self._events
        while at < size and not self.closed and not (events and events[-1] is _END):
            begin, at = at, self._stride(data, at, size)
            self._advance(data[begin:at] if begin or at < size else data)
        return at

    def _stride(self, data: bytes, at: int, size: int) -> int:
        """Return the position to parse to: not past the end of this request, as far as that is known."""
        if self._remaining:
            return min(size, at + self._remaining)
        if size - at <= _STRIDE:
            return size
        empty = data.find(b"\r\n\r\n", at + _STRIDE)
        return size if empty < 0 else empty + 4

    def _advance(self, data: bytes) -> None:
        chunked = self._in_body and self._remaining is None
        self._overhead += len(data) if chunked else 0
        self._head_size += len(data)
        stopped: int | None = None
        self._parser = self._parser or httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            stopped = upgrade.args[0]
        except httptools.HttpParserError as error:
            if not self.closed:
                self._error = self._error or _invalid(error)
        if stopped is not None:
            self._resume_after_upgrade(data[stopped:])
            return
        if self._in_body:
            if self._remaining is None and self._overhead > _MAX_OVERHEAD:
                self._error = self._error or InvalidRequest(BAD_REQUEST, "its chunks are more frame than body")
        elif self._head_size > MAX_HEAD or len(self._headers) > MAX_HEADERS:
            self._error = self._error or InvalidRequest(HEAD_TOO_LONG, "its head is too long")
        self._flush()
        if self._error and not self.closed:
            self._events.append(self._error)
            self.closed, self.head_begun = True, False

    def _resume_after_upgrade(self, rest: bytes) -> None:
        """Continue in HTTP/1.1 after an `Upgrade` header (RFC 9110, 7.8), at which llhttp stops.

        llhttp skips the body of such a request. So a new parser is fed a head that announces the same body, and
        produces no event for it.
        """
        if self._body_skipped:
            self._parser = httptools.HttpRequestParser(self)
            framing = _CHUNKED if self._remaining is None else b"content-length: %d" % self._remaining
            close = b"connection: close\r\n" if self._closes else b""
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b%b\r\n\r\n" % (close, framing))
            self._body_skipped = False
        if rest and not self.closed:
            self._advance(rest)

    def _flush(self) -> None:
        if self._pieces:
            self._events.append(Data(b"".join(self._pieces)))
            self._pieces.clear()

    def _reject(self, status: int, reason: str) -> NoReturn:
        self._error = InvalidRequest(status, reason)
        raise ValueError

    def on_message_begin(self) -> None:
        """Begin a head (called by llhttp)."""
        if not self._in_body:
            self.head_begun = True
            self._target, self._headers = b"", []

    def on_url(self, part: bytes) -> None:
        """Add a part of the target (called by llhttp)."""
        if self._in_body:
            return
        self._target += part
        if len(self._target) > MAX_HEAD:
            self._reject(HEAD_TOO_LONG, "its target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers are dropped (called by llhttp)."""
        if not self._in_body:
            self._headers.append((LOWER[name], value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Determine the body's framing, and whether another request can follow (called by llhttp)."""
        if self._in_body:
            return
        parser = self._parser
        assert parser
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._reject(_VERSION_UNKNOWN, "it is neither HTTP/1.1 nor HTTP/1.0")
        headers = self._headers
        if self._head_size > MAX_HEAD or len(headers) > MAX_HEADERS:
            self._check_limits()
        framing = [header for header in headers if header[0] in _FRAMING_HEADERS]
        length, chunked, expects = self._read_framing(version, framing)
        method = parser.get_method().decode("ascii")
        tunnel = method == "CONNECT"
        self._closes = tunnel or version == "1.0" or not parser.should_keep_alive()
        self._remaining = 0 if tunnel else None if chunked else length
        self._in_body, self.head_begun, self._overhead = True, False, 0
        # After an `Upgrade` header llhttp reads no body.
        self._body_skipped = parser.should_upgrade() and self._remaining != 0
        expects_continue = expects and version == "1.1" and self._remaining != 0
        self._events.append(
            Head(method, self._target, version, self._headers, self._remaining, expects_continue, self._closes)
        )

    def _read_framing(self, version: str, headers: Headers) -> tuple[int, bool, bool]:
        """Return the Content-Length, whether the body is chunked, and whether a 100 is expected."""
        hosts, length, chunked, expects = 0, 0, False, False
        for name, value in headers:
            if name == b"host":
                hosts += 1
                if not _HOST.fullmatch(value):
                    self._reject(BAD_REQUEST, "its Host is malformed")
            elif name == b"content-length":
                length = int(value)
            elif name == b"expect":
                expects = value.lower() == b"100-continue"
            elif version == "1.0" or chunked or value.lower() != b"chunked":
                self._reject(BAD_REQUEST, "its Transfer-Encoding is not just chunked, or it is HTTP/1.0")
            else:
                chunked = True
        if hosts > 1 or (not hosts and version == "1.1"):
            self._reject(BAD_REQUEST, "it has not exactly one Host")
        return length, chunked, expects

    def _check_limits(self) -> None:
        """Reject a head that is too long. The bytes fed with it are not counted: they may be its body."""
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > MAX_HEAD or len(self._headers) > MAX_HEADERS:
            self._reject(HEAD_TOO_LONG, "its head is too long")

    def on_chunk_header(self) -> None:
        """Allow for the size line of a chunk (called by llhttp)."""
        self._overhead -= _CHUNK_OVERHEAD

    def on_body(self, part: bytes) -> None:
        """Add a part of the body (called by llhttp)."""
        if self._remaining is None:
            self._overhead -= len(part)
        else:
            self._remaining -= len(part)
        self._pieces.append(part)

    def on_message_complete(self) -> None:
        """End a request (called by llhttp)."""
        if self._body_skipped:
            return
        self._flush()
        self._events.append(_END)
        self._in_body, self._remaining, self._head_size = False, 0, 0
        self.closed = self._closes


def _invalid(error: Exception) -> InvalidRequest:
    """Return llhttp's error, which quotes nothing of the request. Re-raise an exception of our callbacks."""
    if error.__context__ is not None:
        raise error.__context__
    return InvalidRequest(BAD_REQUEST, str(error))
