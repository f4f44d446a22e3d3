"""What a unit is: a kind of value, with its parser and its formatter; secrets, and errors about values."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")


class InvalidValue(ValueError):
    """The text is not a value of this unit; `str()` says why, `instead` is what was probably meant."""

    def __init__(self, problem: str, instead: str | None = None) -> None:
        super().__init__(problem)
        self.instead = instead


@dataclass(frozen=True)
class Secret:
    """A value that repr, str and format mask with `shown`.

    `file` is the file it was read from, if any; `in_flag`, whether it stands in the command line.
    """

    _value: str = field(repr=False)
    shown: str = field(default="***", compare=False)
    file: Path | None = field(default=None, compare=False, repr=False)
    in_flag: bool = field(default=False, compare=False, repr=False)

    def reveal(self) -> str:
        """Return the value itself, to send or compare it; never to log it."""
        return self._value

    def __str__(self) -> str:
        return self.shown

    def __format__(self, spec: str) -> str:
        return format(self.shown, spec)


@dataclass(frozen=True)
class Unit(Generic[T]):
    """A kind of value. `toml` is its type in the file; `choices` are all its values, if they are finite."""

    parse: Callable[[str], T]
    metavar: str
    example: str
    show: Callable[[T], str] = str
    toml: type = str
    choices: tuple[str, ...] = ()


def nearest(text: str, known: Iterable[str]) -> str | None:
    """Return the closest known word, None if none is close; two letters of three are enough (`tpo` → `top`)."""
    return next(iter(difflib.get_close_matches(text[:80], known, n=1, cutoff=0.6)), None)
