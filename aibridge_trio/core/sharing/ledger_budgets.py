"""What is spent of each budget by the calendar, by the store's clock: the rules of core/budgets.py."""

from __future__ import annotations

from aibridge_trio.core.budgets import PERIODS, period_number, period_start
from aibridge_trio.core.sharing.ledger_expiry import Expiring
from aibridge_trio.core.terms import Period

_MOST = 200_000
# Longer than a month.
_KEPT = 40 * 86_400.0
# The clock is set by less when it is corrected.
_CORRECTION = 86_400.0


class LedgerBudgets:
    """Tokens spent in the present day, week and month, by key. `wall` is the Unix time."""

    def __init__(self) -> None:
        self._accounts: Expiring[dict[Period, tuple[int, int]]] = Expiring(_MOST)

    def spent(self, key: str, per: Period, wall: float) -> int:
        """Return what is spent in the present period."""
        account = self._accounts.get(key)
        return 0 if account is None else _present(per, account[per], wall)[1]

    def spend(self, key: str, used: int, wall: float) -> None:
        """Count what was used."""
        if not used:
            return
        account = self._accounts.get(key) or {}
        present = {per: _present(per, account.get(per), wall) for per in PERIODS}
        self._accounts.put(
            key, {per: (number, spent + used) for per, (number, spent) in present.items()}, wall + _KEPT
        )

    def accounts(self) -> list[tuple[str, dict[Period, tuple[int, int]]]]:
        """Return each key with its periods' numbers and what was spent; it can run in a thread."""
        return self._accounts.items()

    def replace(self, key: str, account: dict[Period, tuple[int, int]], wall: float) -> None:
        """Set what was spent."""
        self._accounts.put(key, account, wall + _KEPT)

    def expire(self, wall: float) -> None:
        """Forget budgets of which nothing was spent for longer than a month."""
        self._accounts.expire(wall)

    def __repr__(self) -> str:
        return f"<LedgerBudgets of {len(self._accounts)} keys>"


def _present(per: Period, counted: tuple[int, int] | None, wall: float) -> tuple[int, int]:
    present = period_number(per, wall)
    if counted is None or counted[0] < present:
        return present, 0
    if counted[0] > present and wall < period_start(per, counted[0]) - _CORRECTION:
        return present, counted[1]
    return counted
