"""What the bridge publishes of its store."""

from __future__ import annotations

from dataclasses import dataclass

from aibridge_trio.sharing.store import Condition


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The store that replicas share is reached, or away; `source` is None at the start.

    Where it is the target, the store is still away, for another cause.

    `because` is why it is away, as text without secrets, else "". `replicas` is how many there are, as far as is
    known.
    """

    source: Condition | None
    target: Condition
    replicas: int
    because: str

    @property
    def words(self) -> str:
        """The event as text."""
        return self.because or f"{self.replicas} replica{'s' * (self.replicas != 1)}"
