"""What a replica holds in the store, all its requests together: what it registers, when the store has lost it."""

from __future__ import annotations

from aibridge_trio.core.sharing.needs import Ask, Leave
from aibridge_trio.core.sharing.wire import held_budget, held_use


class Held:
    """Amounts by key. None is below 0, whatever is given back."""

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}

    def take(self, ask: Ask, short: tuple[str, ...] = ()) -> None:
        """Hold what was asked for, but for the keys in `short`."""
        amounts = self.amounts
        for key, amount in held_for(ask, short):
            if amount > 0:
                amounts[key] = amounts.get(key, 0) + amount

    def give_back(self, leave: Leave) -> None:
        """Hold what is given back no longer."""
        for key, amount in leave.holdings:
            self._less(key, amount)
        for each in leave.settled:
            self._less(held_use(each.key, each.span), each.estimate)
        if leave.budget is not None:
            self._less(held_budget(leave.budget[0]), leave.budget[1])

    def _less(self, key: str, amount: int) -> None:
        left = self.amounts.get(key, 0) - amount
        if left > 0:
            self.amounts[key] = left
        else:
            self.amounts.pop(key, None)

    def __repr__(self) -> str:
        return f"<Held {self.amounts}>"


def held_for(ask: Ask, short: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """Return what is held for a request, by the keys that a store holds it under."""
    found = [(each.key, each.amount) for each in ask.holdings if each.key not in short]
    found += [(held_use(use.key, use.span), use.count) for use in ask.uses if use.running and use.key not in short]
    if ask.budget is not None:
        found.append((held_budget(ask.budget.key), ask.budget.estimate))
    return found
