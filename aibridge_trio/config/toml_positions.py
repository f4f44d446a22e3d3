"""Where in a TOML text each key is. `tomllib` gives values without their places. Pure.

The text must be valid TOML (https://toml.io/en/v1.0.0): the scanner reads only what it needs to find keys.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The keys and the indexes of arrays that lead to a value.
Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
# White space, ends of lines and comments.
_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_KEY = re.compile(r""" "(?:\\.|[^"\\\n])*" | '[^'\n]*' | [A-Za-z0-9_-]+ """, re.VERBOSE)
# A string that begins with three quotes may end in up to two more.
_SCALAR = re.compile(
    r'''
    """ (?:\\.|[^\\])*? """ "{0,2}  |  \'\'\' .*? \'\'\' '{0,2}
    | "(?:\\.|[^"\\\n])*"  |  '[^'\n]*'
    | [0-9]{4}-[0-9]{2}-[0-9]{2}\ [0-9][0-9:.+Z-]*     # a date and a time
    | [^,\]}\s\#]+
    ''',
    re.VERBOSE | re.DOTALL,
)


class Positions:
    """Line and column, both from 1, of every key and of every element of an array."""

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n")
        self._offsets = _Scanner(text).scan()
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._offsets)

    def find(self, path: Path) -> tuple[int, int]:
        """Return where this key is mentioned first, else what is above it, else the start of the text."""
        while path and path not in self._offsets:
            path = path[:-1]
        offset = self._offsets.get(path, 0)
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, int] = {}
        # The index of the last element of each array of tables.
        self._last: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        """Return the offset of each path; what is nested too deeply for Python's stack is left out."""
        with suppress(RecursionError):
            self._document()
        return self._found

    def _document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]` and return the path of the table that it begins."""
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        path: Path = ()
        keys = self._key()
        for place, (key, offset) in enumerate(keys):
            path = self._note((*path, key), offset)
            if brackets > 1 and place == len(keys) - 1:
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = self._note((*path, self._last[path]), offset)
        self._at += brackets
        return path

    def _pair(self, path: Path) -> None:
        for key, offset in self._key():
            path = self._note((*path, key), offset)
        self._at += 1  # =
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[tuple[str, int]]:
        """Read `a."b".c` and return its parts with their offsets."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            parts.append((_plain(self._take(_KEY)), start))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while (mark := self._next()) != "]":
            if mark == ",":
                self._at += 1
            else:
                self._value(self._note((*path, index), self._at))
                index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while (mark := self._next()) != "}":
            if mark == ",":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1

    def _next(self) -> str:
        self._skip(_BLANK)
        return self._text[self._at]

    def _note(self, path: Path, offset: int) -> Path:
        self._found.setdefault(path, offset)
        return path

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self._text, self._at):
            self._at = found.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found, "the text is valid TOML"
        self._at = found.end()
        return found[0]


def _plain(key: str) -> str:
    """Return a key without its quotes and escapes."""
    if "\\" in key and key[0] == '"':
        return next(iter(tomllib.loads(f"{key} = 0")))
    return key[1:-1] if key[0] in "\"'" else key
