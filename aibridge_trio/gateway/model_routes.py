"""Which providers take a model under the base URL `/v1`, and which of them takes a request now. Pure.

1. A request goes to the first provider of its route that takes it at once: its breaker admits it, its keys do not
   all rest, a share of its limit is free, and its adaptive line would send the request up now.
2. If none does, it is held in the line where its turn is expected soonest, of those that could take it.
3. If none could, it waits for a share of those that are full only.
4. If all reject it, it gets the reject with the shortest wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aibridge_trio.config.provider_tables import RouteTable
from aibridge_trio.core.inspection.model import ModelPatterns
from aibridge_trio.errors import Reject
from aibridge_trio.events import PUSHBACK_CAUSES

if TYPE_CHECKING:
    from aibridge_trio.gateway.routing import ModelPath

# Why a request of a model route goes past a provider: a reject's reason, its line, or a pushback.
PASS_CAUSES = (
    *("circuit_open", "credential_cooldown", "keys_resting", "provider_capacity", "line_full", "cannot_hold"),
    *("rate_limit", "token_limit", "held", *PUSHBACK_CAUSES),
)


class Elsewhere(Exception):
    """The request goes to another provider of its route; `cause` is why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class ModelRoutes:
    """The routes as configured, by model. `paths` is the router's memory of what paths ask for."""

    def __init__(self, tables: Iterable[RouteTable] = ()) -> None:
        self.paths: dict[str, ModelPath] = {}
        self._routes = {table.model: table for table in tables}
        self._patterns = ModelPatterns(tuple(self._routes))

    def __bool__(self) -> bool:
        return bool(self._routes)

    def __iter__(self) -> Iterator[RouteTable]:
        return iter(self._routes.values())

    def find(self, model: str) -> RouteTable | None:
        """Return a model's route: of its exact name, else of the longest prefix; None without one."""
        pattern = self._patterns.find(model)
        return None if pattern is None else self._routes[pattern]

    def names(self) -> Iterator[tuple[str, RouteTable]]:
        """Yield the exact names of models, with their routes."""
        return ((name, table) for name, table in self._routes.items() if not name.endswith("*"))


@dataclass(frozen=True, slots=True)
class Standing:
    """What one provider would do with a request now.

    reject   What it would get: a breaker that is open, keys that rest. None without one.
    full     No share of the provider's limit is free.
    at_once  Its line would send the request up now, or it has none.
    turn     Seconds until the request's turn in its line is expected, if it is held.
    """

    reject: Reject | None = None
    full: bool = False
    at_once: bool = True
    turn: float = 0.0

    @property
    def takes(self) -> bool:
        """Whether the request could go up now."""
        return self.reject is None and not self.full and self.at_once


def choose(standings: Sequence[Standing]) -> int | None:
    """Return the number of the provider that a request goes to, or is held for; None if none could take it."""
    for number, standing in enumerate(standings):
        if standing.takes:
            return number
    could = [number for number, each in enumerate(standings) if each.reject is None and not each.full]
    return min(could, key=lambda number: standings[number].turn, default=None)


def waits_for_share(standings: Sequence[Standing]) -> list[int]:
    """Return the numbers of the providers of which a request lacks nothing but a share, in their order."""
    return [number for number, each in enumerate(standings) if each.reject is None and each.full]


def soonest(rejects: Iterable[Reject]) -> Reject:
    """Return the reject with the shortest wait, of equal ones the first; one without a wait comes last."""
    return min(rejects, key=lambda reject: math.inf if reject.wait is None else reject.wait)
