"""What a request has of a breaker: a ticket while it isn't whole, then a permit; both of one generation."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import NewType

# The generation in which a request has asked; it holds nothing.
Ticket = NewType("Ticket", int)
# Of a request that belongs to no generation: what it shows changes nothing but the end of a cooldown.
NO_GENERATION = -1


class Permit:
    """Leave to make one request, of one generation, for a `caller`; given back through `Breaker.settle`.

    It was given at `since` (seconds).
    """

    __slots__ = ("caller", "generation", "may_relapse", "returned", "since")

    def __init__(self, generation: int, caller: Hashable | None = None, since: float = math.inf) -> None:
        self.since = since
        self.generation = generation
        self.caller = caller
        self.returned = False
        self.may_relapse = False

    def __repr__(self) -> str:
        return f"<Permit generation={self.generation} {'returned' if self.returned else 'held'}>"
