"""Names of members to look for in a JSON object, and how their values are represented."""

from __future__ import annotations

import re
from enum import Enum, auto

from aibridge_trio.core.inspection.json_lexer import DECODER, LONGEST_TEXT, SPACES, STRING, VALUE, WS


class Kind(Enum):
    """Stands for a value whose content is not read: an array, an object, or a number that is no small integer."""

    OPAQUE = auto()


Value = str | bool | int | Kind | None
_MEANING: dict[bytes, Value] = {b"true": True, b"false": False, b"null": None, b"-0": 0}
# Integers from 0 to below this are read.
_SMALL, _DIGITS = 10**9, 9


class Wanted:
    """Names of members to look for, compiled to patterns once for all readers."""

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)
        others = b"|".join(re.escape(name.encode()) for name in names)
        plain = rb'"(?!(?:' + others + rb')")[^"\\]*+"'

        def run(element: bytes) -> re.Pattern[bytes]:
            return re.compile(rb"(?:" + WS + element + WS + rb",)*+")

        member = WS + rb":" + WS + VALUE
        self.items = run(VALUE)
        self.members = run(STRING + member)
        self.top = run(plain + member)

    def parse(self, body: bytes) -> dict[str, Value] | None:
        """Return what a MemberReader finds in a complete body; None for a body that only a MemberReader can read.

        It takes a tenth of the time, but in one step: for small bodies.
        """
        try:
            text = body.decode().removeprefix("\ufeff")
            document, _ = DECODER.raw_decode(text.lstrip(SPACES))
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict):
            return {}
        return {name: _known(document[name]) for name in self.names.intersection(document)}


def meaning(word: bytes) -> Value:
    """Return what a number or a literal stands for."""
    if word.isdigit() and len(word) <= _DIGITS:
        return int(word)
    return _MEANING.get(word, Kind.OPAQUE)


def _known(value: object) -> Value:
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if value is None or isinstance(value, bool) or (isinstance(value, int) and 0 <= value < _SMALL):
        return value
    return Kind.OPAQUE
