"""Reads the head of a provider's response: one pass over its lines, and one look at each header's name. Pure.

All of a head matches the grammar of RFC 9112, or the head is malformed: a bare LF, an obs-fold, a space before a
colon, a control character. A name is classified once and remembered, because providers send the same ones again
and again. tests/http/test_response_head.py compares all this with llhttp.
"""

from __future__ import annotations

import re
from typing import TypeVar

from aibridge_trio.http.headers import CONNECTION_OPTIONS, FRAMING, HOP_BY_HOP, MAX_HEADERS, UNENCODED, Headers

_Value = TypeVar("_Value")

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
# A line that is no header matches with all that follows it, as a header without a name. So nothing is skipped.
# What repeats is possessive (++): backtracking would take quadratic time.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)(?:\r\n|\Z)|[\s\S]+")
_OWN_PREFIX = b"x-aibridge-"
_SWITCHING_PROTOCOLS = 101

# What becomes of a header, by its name. Those from _DROPPED on are not forwarded.
_FORWARDED, _CONTENT_TYPE, _CONTENT_ENCODING = 0, 1, 2
_DROPPED, _CONTENT_LENGTH, _TRANSFER_ENCODING, _CONNECTION, _NONE = 3, 4, 5, 6, 7
_READ = {
    b"content-type": _CONTENT_TYPE,
    b"content-encoding": _CONTENT_ENCODING,
    b"content-length": _CONTENT_LENGTH,
    b"transfer-encoding": _TRANSFER_ENCODING,
    b"connection": _CONNECTION,
    b"proxy-connection": _CONNECTION,
    b"": _NONE,
}
_ONCE = (_CONTENT_LENGTH, _TRANSFER_ENCODING)
_MOST_DIGITS = 18


class Malformed(Exception):
    """A message is not valid HTTP/1.1; `str()` says why."""


class _Remembered(dict[bytes, _Value]):
    """What follows from some bytes of a head, computed once; bounded, whatever providers send."""

    _MOST, _LONGEST = 1024, 128

    def remember(self, key: bytes, value: _Value) -> _Value:
        """Keep it unless too many are kept, and return it."""
        if len(self) < self._MOST and len(key) <= self._LONGEST:
            self[key] = value
        return value


class _Fates(_Remembered[int]):
    """What becomes of a header, by its name as it came."""

    def __missing__(self, name: bytes) -> int:
        lower = name.lower()
        fate = _READ.get(lower, _FORWARDED)
        if lower in HOP_BY_HOP or lower in FRAMING or lower.startswith(_OWN_PREFIX):
            fate = fate or _DROPPED
        return self.remember(name, fate)


class _StatusLines(_Remembered[tuple[bool, int]]):
    """Whether a status line is of HTTP/1.0, and its status."""

    def __missing__(self, line: bytes) -> tuple[bool, int]:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise Malformed("Expected HTTP/1.1 and a status")
        return self.remember(line, (match[1] == b"0", int(match[2])))


class _ConnectionOptions(_Remembered[frozenset[bytes]]):
    """The options of a `Connection` header."""

    def __missing__(self, value: bytes) -> frozenset[bytes]:
        return self.remember(value, frozenset(token.strip().lower() for token in value.split(b",")))


class _MediaTypes(_Remembered[str]):
    """The media type in lower case, without parameters."""

    def __missing__(self, value: bytes) -> str:
        return self.remember(value, value.partition(b";")[0].strip().lower().decode("latin-1"))


_fates = _Fates()
_status_lines = _StatusLines()
_connection_options = _ConnectionOptions()
_media_types = _MediaTypes()
_NO_OPTIONS = frozenset[bytes]()


class ResponseHead:
    """What the head of a response says. Raises Malformed.

    `headers` are those that came, `forwarded` those that go on to the caller. `length` is the Content-Length, None
    without one. `unencoded`: the body has no content coding. `keeps_alive`: another request may follow on the same
    connection if the body ends before it.
    """

    __slots__ = ("chunked", "forwarded", "headers", "keeps_alive", "length", "media_type", "status", "unencoded")

    def __init__(self, status: int, headers: Headers, *, old: bool = False) -> None:
        """Read these headers; `old`: of HTTP/1.0."""
        said: dict[int, bytes] = {}
        for name, value in headers:
            fate = _fates[name]
            if fate == _FORWARDED:
                continue
            if fate not in said:
                said[fate] = value
            elif fate == _CONNECTION:
                said[fate] += b"," + value
            elif fate in _ONCE:
                raise Malformed("its Content-Length or Transfer-Encoding is said twice")
        if _NONE in said or len(headers) > MAX_HEADERS:
            raise Malformed("a line of its head is no header" if _NONE in said else "its head is too long")
        self.status, self.headers = status, headers
        self.length = _length(said[_CONTENT_LENGTH]) if _CONTENT_LENGTH in said else None
        self.chunked = _TRANSFER_ENCODING in said
        if self.chunked and (self.length is not None or said[_TRANSFER_ENCODING].strip().lower() != b"chunked"):
            raise Malformed("its transfer encoding is not chunked, or beside a Content-Length")
        self.media_type = _media_types[said[_CONTENT_TYPE]] if _CONTENT_TYPE in said else ""
        self.unencoded = _CONTENT_ENCODING not in said or said[_CONTENT_ENCODING].strip().lower() in UNENCODED
        self.forwarded = [header for header in headers if _fates[header[0]] < _DROPPED]
        options = _connection_options[said[_CONNECTION]] if _CONNECTION in said else _NO_OPTIONS
        self.keeps_alive = b"close" not in options and (not old or b"keep-alive" in options)
        if not options <= CONNECTION_OPTIONS:
            self.forwarded = [header for header in self.forwarded if header[0].lower() not in options]

    def forget_headers(self) -> None:
        """Drop `headers` and `forwarded`, once nothing needs them."""
        self.headers, self.forwarded = [], []


def _length(value: bytes) -> int:
    digits = value if value.isdigit() else value.rstrip(b" \t")
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise Malformed("its Content-Length is no number")
    return int(digits)


def read_head(head: bytes) -> ResponseHead:
    """Read a head without the empty line at its end. Raises Malformed."""
    line, _, lines = head.partition(b"\r\n")
    old, status = _status_lines[line]
    if status == _SWITCHING_PROTOCOLS:
        raise Malformed("it switches protocols, and was not asked to")
    return ResponseHead(status, _LINE.findall(lines), old=old)
