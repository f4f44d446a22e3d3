"""What a key of a table is, and what a shape is: the keys of one sort of table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aibridge_trio.config.tables.kinds import Kind


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The keys of one sort of table. At most one of the `alternatives` may be given; with `one`, exactly one."""

    keys: tuple[Key, ...]
    alternatives: tuple[str, ...] = ()
    one: bool = False

    def get(self, name: str) -> Key | None:
        """Return a key by its name."""
        return self._by_name.get(name)

    @cached_property
    def required(self) -> tuple[Key, ...]:
        """The keys without which a table is not of this shape."""
        return tuple(key for key in self.keys if key.required)

    @cached_property
    def _by_name(self) -> dict[str, Key]:
        return {key.name: key for key in self.keys}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key: its kind, or the shape of the table it holds; with `most`, of an array of that many tables.

    `default` is a text for the docs; "" if silence means what the help says.
    """

    name: str
    help: str
    kind: Kind[Any] | None = None
    shape: Shape | None = None
    most: int = 0
    required: bool = False
    default: str = ""

    @property
    def example(self) -> str:
        """A value as TOML."""
        if self.kind:
            return self.kind.example
        assert self.shape
        inner = self.shape.keys[: 2 if not self.shape.alternatives else 1]
        table = "{ " + ", ".join(f"{key.name} = {key.example}" for key in inner) + " }"
        return f"[{table}]" if self.most else table
