"""The head of a request, and how a connection recognizes that it comes again. Pure.

Clients send the same head with each request of a connection, but for the digits of Content-Length. So a
connection remembers the bytes of its last head; a head of the same bytes is not parsed again, and what was found
out about the first one holds for it, too.

What may be remembered of a head, in `HeadMemo.known`: what follows from its method, target and headers except
Content-Length, and from the connection (its addresses, its TLS), which is the same for all requests of a memo.
The code that keeps something there also checks that what it was derived under (settings, tokens, keys, routes) is
still the same. What is never remembered: anything that follows from the body or its length, from the time, from a
counter or a limit, or from what happened to another request; and an id of a request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from aibridge_trio.http.headers import Headers

# A longer head (bytes) is parsed each time: idle connections shall not hold much.
_MOST = 4096
# A length of more digits is parsed each time.
_DIGITS = 15
_ZERO = ord("0")
_EMPTY_LINE = b"\r\n\r\n"
_CONTENT_LENGTH = b"content-length"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(0|[1-9][0-9]{0,%d})[ \t]*\r\n" % (_DIGITS - 1), re.IGNORECASE)
# With these a head says more than where its body ends; what they say is not remembered.
_NOT_REMEMBERED = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


class HeadMemo:
    """What is known of a head: the same object for all requests of a connection with the same head.

    `known` belongs to the application, which may keep there what follows from the head; see this module.
    """

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: object | None = None


@dataclass(slots=True)
class Head:
    """A request's start line and headers, names in lower case; `length` is None for a chunked body.

    `expects_continue`: the caller waits for a 100 before it sends its body. `closes`: no request can follow on the
    same connection: the caller said so, speaks HTTP/1.0, or asked for a tunnel (CONNECT, without a body).

    `path` and `query` are the target before and behind its first `?`; `index` has the first value of each header.
    Requests with the same head share this object, `headers` and `index`: none may be changed.
    """

    method: str
    target: bytes
    version: str
    headers: Headers
    length: int | None
    expects_continue: bool
    closes: bool
    memo: HeadMemo = field(default_factory=HeadMemo, compare=False)
    path: bytes = field(init=False)
    query: bytes = field(init=False)
    index: dict[bytes, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.path, _, self.query = self.target.partition(b"?")
        self.index = dict(reversed(self.headers))

    def __repr__(self) -> str:
        return f"<Head {self.method} headers={len(self.headers)} length={self.length}>"


class LastHead:
    """The last head of a connection as bytes: those before and those behind the digits of its Content-Length."""

    __slots__ = ("_at_digits", "_before", "_behind", "_digits", "_head", "_length_at", "_most")

    def __init__(self, head: Head, before: bytes, digits: bytes, behind: bytes) -> None:
        self._head = head
        self._before = before
        self._digits = digits
        self._behind = behind
        names = [name for name, _ in head.headers]
        self._at_digits, self._most = len(before), _DIGITS + len(behind)
        self._length_at = names.index(_CONTENT_LENGTH) if digits else None

    def match(self, data: bytes, at: int) -> tuple[Head, int] | None:
        """Return the head that begins at `at`, and where it ends; None if it is not the same, or not complete.

        A length is one that the parser would read in the same way: digits only, and no zero before others.
        """
        if not data.startswith(self._before, at):
            return None
        at += self._at_digits
        behind = self._behind
        end = data.find(behind, at, at + self._most)
        if end < 0:
            return None
        digits = data[at:end]
        if digits != self._digits:
            if self._length_at is None or not digits.isdigit() or (digits[0] == _ZERO and len(digits) > 1):
                return None
            headers = self._head.headers.copy()
            headers[self._length_at] = (_CONTENT_LENGTH, digits)
            self._head = replace(self._head, headers=headers, length=int(digits))
            self._digits = digits
        return self._head, end + self._most - _DIGITS


def remember(head: Head, data: bytes, at: int) -> LastHead | None:
    """Return a head, which begins at `at`, to recognize it again; None for one that is not remembered.

    A chunked body, `Expect`, `Upgrade`, HTTP/1.0 and a last request are left to the parser each time, as is a head
    behind an empty line.
    """
    end = data.find(_EMPTY_LINE, at, at + _MOST)
    if end < 0 or head.closes or head.length is None or not data.startswith(head.method.encode() + b" ", at):
        return None
    end += len(_EMPTY_LINE)
    names = [name for name, _ in head.headers]
    if not _NOT_REMEMBERED.isdisjoint(names):
        return None
    lengths = names.count(_CONTENT_LENGTH)
    if not lengths:
        return LastHead(head, data[at:end], b"", b"")
    found = _LENGTH.search(data, at, end)
    if lengths > 1 or found is None:
        return None
    return LastHead(head, data[at : found.start(1)], found[1], data[found.end(1) : end])
