"""What a request holds of a breaker: a ticket while its body is being read, then a permit."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import NewType

# How long a probe without a verdict keeps its permit, at most (seconds).
PROBE_DEADLINE = 30.0
# The generation in which a request was admitted; it holds nothing of the breaker.
Ticket = NewType("Ticket", int)
# Of a permit that belongs to no generation: its evidence can only extend a cooldown.
NO_GENERATION = -1


class Permit:
    """Leave to make one attempt for a `caller`, issued in one generation at `since` (seconds).

    `Breaker.settle` takes it back: `returned` is set then. `succeeded_at` is when it was settled with a success
    that a failure may still follow (seconds), else None.
    """

    __slots__ = ("caller", "generation", "returned", "since", "succeeded_at")

    def __init__(self, generation: int, caller: Hashable | None = None, since: float = math.inf) -> None:
        self.since = since
        self.generation = generation
        self.caller = caller
        self.returned = False
        self.succeeded_at: float | None = None

    @property
    def may_relapse(self) -> bool:
        """Whether a failure may still follow its success."""
        return self.succeeded_at is not None

    def __repr__(self) -> str:
        return f"<Permit generation={self.generation} {'returned' if self.returned else 'held'}>"
