"""A TOML file as read, and errors that name a place in it: file, line, column, table and key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.toml_positions import Path, Positions
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Document:
    """A TOML file: its name, its values, and the text that they were read from."""

    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    @cached_property
    def _positions(self) -> Positions:
        # Only for errors and for `check`: a file with 100,000 callers takes seconds to scan.
        return Positions(self.text)

    def at(self, path: Path) -> tuple[int, int]:
        """Return line and column of a key."""
        return self._positions.find(path)

    def place(self, path: Path) -> str:
        """Return `FILE:LINE:COLUMN: [table] key`."""
        line, column = self.at(path)
        return f"{visible(self.name)}:{line}:{column}: {label(path)}"

    def error(self, path: Path, problem: str, remedy: str) -> UsageError:
        """Return the error for what stands at a key: one line with the problem and its remedy."""
        return UsageError(f"{self.place(path)}: {problem}; {remedy}")


def label(path: Path) -> str:
    """Return `rate_limit`, `[providers.azure] key_file`, `[[callers]] class`, `[providers.azure] keys[0].file`.

    Names that are not in `tables` are keys at the top of the file.
    """
    depth = _header(path)
    shown = ""
    for key in path[depth:]:
        shown += f"[{key}]" if isinstance(key, int) else f"{'.' if shown else ''}{_key(key)}"
    if not depth:
        return shown
    names = ".".join(_key(key) for key in path[:depth] if isinstance(key, str))
    header = f"[[{names}]]" if isinstance(path[depth - 1], int) else f"[{names}]"
    return f"{header} {shown}".rstrip()


# How many parts of a path name its table in the file's usual form.
_TABLES = {"classes": 2, "providers": 2, "callers": 2, "routes": 2}


def _header(path: Path) -> int:
    return min(len(path), _TABLES.get(str(path[0]), 0)) if path else 0


def _key(key: str | int) -> str:
    text = str(key)
    return visible(text) if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", text) else quoted(text, 80)
