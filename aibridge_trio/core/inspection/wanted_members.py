"""Names of members to look for in a JSON object, and how their values are represented."""

from __future__ import annotations

import re
from enum import Enum, auto

from aibridge_trio.core.inspection.json_lexer import DECODER, LONGEST_TEXT, SPACES, STRING, VALUE, WS


class Kind(Enum):
    """Stands for a value whose content is not read: a number, an array or an object."""

    OPAQUE = auto()


Value = str | bool | Kind | None
MEANING: dict[bytes, Value] = {b"true": True, b"false": False, b"null": None}


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
            begin = SPACES.match(text)
            assert begin
            document, _ = DECODER.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict):
            return {}
        return {name: _known(document[name]) for name in self.names if name in document}


def _known(value: object) -> Value:
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    return value if value is None or isinstance(value, bool) else Kind.OPAQUE
