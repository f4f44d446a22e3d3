"""What is asked of a store, and what is on its way to it."""

from __future__ import annotations

from typing import Any

from aibridge_trio.core.sharing.needs import Ask, Away, Leave
from aibridge_trio.core.sharing.wire import Op

_AWAY = Away()


class Query:
    """An op whose result is awaited: for what a request needs (`ask`), or any other. `at` is when it was made.

    `answer` is there once the session returns the query. `dropped`: it is given back if it is granted.
    """

    __slots__ = ("answer", "ask", "at", "dropped", "op")

    def __init__(self, op: Op, at: float, ask: Ask | None = None) -> None:
        self.ask = ask
        self.op = op
        self.at = at
        self.answer: Any = _AWAY if ask is not None else None
        self.dropped = False


class Sent:
    """A batch on its way: what is in it, in order; `at` is since when its oldest op waits."""

    __slots__ = ("at", "entries", "registers")

    def __init__(self, entries: list[Query | Leave | None], at: float, *, registers: bool = False) -> None:
        self.entries = entries
        self.at = at
        self.registers = registers

    def queries(self) -> list[Query]:
        """Return what was asked in it."""
        return [each for each in self.entries if isinstance(each, Query)]

    def posts(self) -> list[Leave]:
        """Return what was given back in it."""
        return [each for each in self.entries if isinstance(each, Leave)]
