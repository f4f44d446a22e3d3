"""Events of a stream that can show nothing but text: they are counted without a parser and without JSON.

Behind its first content a stream is inspected for errors, usage, and the event that is its last. Each of them has
a mark: a JSON string, as a name or as a value, or the event's name. An event without any of these marks shows none
of them, whatever else is in it, and one search in the bytes decides that. It may take an event for one that
matters; never the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aibridge_trio.core.breaker.provider_error import TEXTS
from aibridge_trio.core.breaker.verdict import LAST
from aibridge_trio.http.sse import MAX_EVENT


def _any_of(names: Iterable[str]) -> bytes:
    return b"(?:" + b"|".join(re.escape(name.encode()) for name in sorted(names)) + b")"


# Some strings matter whatever follows them, others not as the name of a `null`. An error without `error` has a
# text in its place. All marks begin with a quotation mark: that makes the search four times as fast.
_MARK = re.compile(
    rb'"(?:(?:errors?|usage)"(?![ \t]*:[ \t]*null)|' + _any_of({*TEXTS, *LAST} - {"error"}) + rb'")'
)
# JSON may escape the small letters of a mark, its underscore and its dot.
_ESCAPE, _ESCAPED_LETTER = b"\\u00", re.compile(rb"\\u00(?:[5-7]|2[eE])")
# How providers begin an event; `[DONE]` is none of these. Its data goes on to the end of its line.
_BEGINNING = re.compile(rb"(?:event: ?(?!" + _any_of(LAST) + rb"\n)[a-z_.]++\n)?+data: ?\{")


def may_matter(data: bytes) -> bool:
    """Return whether the data of an event, or several events, have a mark of an error, of usage or of an end."""
    return bool(_MARK.search(data) or (_ESCAPE in data and _ESCAPED_LETTER.search(data)))


def plain_events(piece: bytes) -> tuple[list[int], int]:
    """Return the sizes of the data of the plain events with which a piece begins, and where they end.

    The piece must begin with an event. One that has a mark anywhere, or lines that end otherwise, has none.
    """
    sizes: list[int] = []
    at = 0
    if _MARK.search(piece) or b"\r" in piece or (_ESCAPE in piece and _ESCAPED_LETTER.search(piece)):
        return sizes, at
    while beginning := _BEGINNING.match(piece, at):
        data = beginning.end() - 1
        end = piece.find(b"\n", data)
        if piece[end : end + 2] != b"\n\n" or end - at >= MAX_EVENT:
            break  # its end has not come, or the data has a second line, or is longer than what is read
        sizes.append(end - data)
        at = end + 2
    return sizes, at
