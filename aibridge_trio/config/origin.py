"""Where an option's value came from, and errors in the terms of that place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aibridge_trio.config.option import Option

_TOML_FORMS: dict[type, str] = {str: '"{}"', list: '["{}"]'}


@dataclass(frozen=True)
class Origin:
    """Where a value came from. `name` is the flag, variable or key.

    `file` is the configuration file's name, `line` and `column` are the key's in it, from 1.
    """

    kind: Literal["flag", "environment", "file", "default"]
    name: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return {"file": self.place, "default": "default"}.get(self.kind) or f"{self.kind} {self.name}"

    @property
    def place(self) -> str:
        """`--flag`, `VARIABLE` or `FILE:LINE:COLUMN: key`."""
        if self.kind != "file":
            return self.name
        return f"{visible(self.file)}:{self.line}:{self.column}: {self.name}"

    def assignment(self, option: Option, value: str) -> str:
        """Return the text that would set the option to this value at this place."""
        if self.kind == "environment":
            return f"{self.name}={value}"
        if self.kind == "file":
            return f"{self.name} = {_TOML_FORMS.get(option.unit.toml, '{}').format(value)}"
        return f"{option.flag} {value}"

    def usage_error(self, problem: str, remedy: str) -> UsageError:
        """Return the error for a wrong value at this place: one line with the problem and its remedy."""
        return UsageError(f"{self.place}: {problem}; {remedy}")

    def check_file(self, check: Callable[..., Any], *paths: Path, remedy: str) -> Any:
        """Return what `check` returns for these files. Raises UsageError, with the first path, if it fails.

        What the check itself says to do counts before `remedy`.
        """
        try:
            return check(*paths)
        except InvalidValue as invalid:
            problem = f"{quoted(str(paths[0]), 255)} {invalid}"
            raise self.usage_error(problem, invalid.instead or remedy) from None


DEFAULT = Origin("default")
