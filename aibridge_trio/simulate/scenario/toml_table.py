"""One table of a scenario file, read key by key. Mistakes are UsageErrors: where, what, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from aibridge_trio.config.units import InvalidValue, Unit, nearest
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted, visible

T = TypeVar("T")


class Table:
    """Returns values by key. `end` refuses keys that were not read."""

    def __init__(self, file: str, name: str, raw: Mapping[str, Any]) -> None:
        self.file = file
        self.name = name
        self._raw = raw
        self._known: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def take(self, key: str, unit: Unit[T], default: T | None = None) -> T:
        """Return a key's value, or the default; without one the key must be there."""
        self._known.append(key)
        if key not in self._raw:
            if default is None:
                raise self.mistake(key, "is missing", f"add {key} = {_form(unit.example)}")
            return default
        return self.read(key, unit, unit.example)

    def read(self, key: str, unit: Unit[T], example: str) -> T:
        """Return the value of a key that is there."""
        try:
            return unit.parse(_text(self._raw[key]))
        except InvalidValue as unfit:
            remedy = f"write e.g. {key} = {_form(unfit.instead or example)}"
            raise self.mistake(key, str(unfit), remedy) from None

    def table(self, key: str) -> Table:
        """Return the table under a key; an empty one if there is none."""
        self._known.append(key)
        found = self._raw.get(key, {})
        if not isinstance(found, dict):
            raise self.mistake(key, "is no table", f"write [{self._below(key)}] and below it what belongs there")
        return Table(self.file, f"[{self._below(key)}]", found)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array under a key."""
        self._known.append(key)
        found = self._raw.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            remedy = f"write [[{key}]] and below it what belongs there"
            raise self.mistake(key, "is no array of tables", remedy)
        return [Table(self.file, f"[[{key}]] {number}", each) for number, each in enumerate(found, 1)]

    def end(self, known: Sequence[str] = ()) -> None:
        """Refuse keys that were not read and are not `known`. Raises UsageError."""
        allowed = [*self._known, *known]
        for key in self._raw:
            if key not in allowed:
                near = nearest(key, allowed)
                raise self.mistake(
                    visible(key, 80), "unknown key", f"did you mean {near}?" if near else "remove it"
                )

    def mistake(self, key: str, problem: str, remedy: str) -> UsageError:
        """Return the error for a key: the problem and the remedy, in one line."""
        return UsageError(
            f"{visible(self.file)}: {self.name + ' ' if self.name else ''}{key}: {problem}; {remedy}"
        )

    def _below(self, key: str) -> str:
        return f"{self.name.strip('[]')}.{key}" if self.name else key


def _text(raw: Any) -> str:
    """Return a value as a user would write it on the command line."""
    match raw:
        case bool():
            return str(raw).lower()
        case int() | float() | str():
            return str(raw)
        case list() if all(isinstance(each, int | float | str) for each in raw):
            return ",".join(str(each) for each in raw)
    raise InvalidValue(f"{quoted(str(raw))} is no value")


def _form(text: str) -> str:
    """Return a value as TOML text."""
    plain = text in ("true", "false") or text.replace(".", "", 1).isdigit()
    return text if plain else f'"{text}"'
