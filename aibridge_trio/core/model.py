"""Which model a request asks for: read from its JSON as it comes, wherever the member stands, in bounded memory.

Only the member `model` of the top level is read; what is deeper is skipped unread. Of several the last counts,
as with most parsers, so that nobody can show one to the bridge and another to the provider. Whatever is no JSON
object asks for no model: to refuse it is the provider's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

# The longest name that is read (bytes); providers' own have some 60.
_LONGEST = 256
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_TOP = re.compile(rb'["{}\[\]:,]')
_BELOW = re.compile(rb'["{}\[\]]')


class ModelReader:
    """Takes a body piece by piece; `model` is what it has asked for so far."""

    def __init__(self) -> None:
        self.model: str | None = None
        self._depth = 0
        self._is_object = True
        self._in_string = False
        self._escaped = False
        self._text = bytearray()
        self._key: str | None = None
        self._is_value = False

    def feed(self, piece: bytes) -> None:
        """Look at the next piece."""
        at, end = 0, len(piece)
        while at < end:
            at = self._skip_string(piece, at) if self._in_string else self._skip_to_mark(piece, at)

    def _skip_string(self, piece: bytes, at: int) -> int:
        """Go on in a string; return where to go on behind it, or the end."""
        begun = at
        if self._escaped:
            self._escaped = False
            at += 1
        match = _STRING.match(piece, at)
        assert match is not None
        at = match.end()
        if self._depth == 1 and len(self._text) <= _LONGEST:
            self._text += piece[begun : min(at, begun + _LONGEST + 1)]
        if at == len(piece):
            return at
        if piece[at : at + 1] == b"\\":  # the last byte of all
            self._escaped = True
            if self._depth == 1:
                self._text += b"\\"
            return at + 1
        self._in_string = False
        if self._depth == 1:
            self._end_of_text()
        return at + 1

    def _skip_to_mark(self, piece: bytes, at: int) -> int:
        match = (_TOP if self._depth <= 1 else _BELOW).search(piece, at)
        if match is None:
            return len(piece)
        match match[0]:
            case b'"':
                self._in_string = True
                self._text.clear()
            case b"{" | b"[":
                if self._depth == 0:
                    self._is_object = match[0] == b"{"
                self._depth += 1
            case b"}" | b"]":
                self._depth -= 1
            case b":" if self._depth == 1:
                self._is_value = True
                if self._key == "model":
                    self.model = None  # until its value is a text
            case b"," if self._depth == 1:
                self._is_value = False
                self._key = None
        return match.end()

    def _end_of_text(self) -> None:
        if not self._is_object:
            return
        text = _unescaped(self._text)
        if not self._is_value:
            self._key = text
        elif self._key == "model":
            self.model = text


def _unescaped(text: bytearray) -> str | None:
    if len(text) > _LONGEST:
        return None
    try:
        found = json.loads(b'"%s"' % bytes(text))
    except ValueError:
        return None
    return found if isinstance(found, str) else None


class Named:
    """Model names that are known: exact ones, and ones that end in `*`, of which the longest fits best."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._exact = frozenset(name for name in patterns if not name.endswith("*"))
        self._prefixes = sorted((name for name in patterns if name.endswith("*")), key=len, reverse=True)

    def find(self, model: str | None) -> str | None:
        """Return the pattern that a model falls under, None for all others."""
        if model is None:
            return None
        if model in self._exact:
            return model
        return next((pattern for pattern in self._prefixes if model.startswith(pattern[:-1])), None)
