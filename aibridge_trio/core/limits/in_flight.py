"""The slots of all callers, counted without Trio."""

from __future__ import annotations


class InFlight:
    """Counts slots, with the methods of `trio.CapacityLimiter`: the simulator runs without Trio."""

    def __init__(self, total_tokens: float) -> None:
        self.total_tokens = total_tokens
        self.borrowed_tokens = 0

    @property
    def available_tokens(self) -> float:
        """How many slots are free."""
        return self.total_tokens - self.borrowed_tokens

    def acquire_on_behalf_of_nowait(self, borrower: object) -> None:
        """Take a free slot; which call holds it is not recorded."""
        del borrower
        assert self.borrowed_tokens < self.total_tokens
        self.borrowed_tokens += 1

    def release_on_behalf_of(self, borrower: object) -> None:
        """Give a slot back."""
        del borrower
        assert self.borrowed_tokens > 0
        self.borrowed_tokens -= 1
