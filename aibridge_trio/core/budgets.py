"""What known callers have spent of their budgets: tokens by the calendar, UTC. Pure: `wall` is the Unix time.

1. A period is a calendar day, an ISO week (from Monday) or a calendar month. With its end all is unspent again.
2. What a request has used is spent in the period in which it ended. A running request counts with its estimate
   until then: so a caller can spend at most one request more than its budget, and not one for each of many that
   run at once.
3. The clock may be set. A period does not begin twice: if the clock goes back by less than a day, the later
   period goes on. If it goes back further, what was spent in the later one counts as spent in the earlier one. So
   going back neither gives a budget anew, nor spends anything twice.
4. All three periods are counted, so that a budget's period may be changed at any time.
5. Where replicas share budgets, each knows what the store last said that all have spent (`told`), and adds what it
   has spent since. That counts for a second: then the store is asked again, whose clock may be another one. While
   the store is away, each replica has its part of what was left then.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, get_args

from aibridge_trio.core.terms import Period, TokenBudget

# By caller and period: the period's number, and what was spent.
Snapshot = dict[str, dict[Period, list[int]]]
PERIODS: tuple[Period, ...] = get_args(Period)
_DAY = 86_400
# Days from a Monday to 1970-01-01, a Thursday.
_THURSDAY = 3
# The clock is set by less when it is corrected (seconds).
_CORRECTION = _DAY
# What a snapshot may have: a day in 2216 (a month in 7500) and so many tokens. No sum of them is too large for a
# float.
_LAST_PERIOD, _MOST_SPENT = 90_000, 1 << 62
# For how long what the store said counts, while the store can be asked (seconds).
_HEARD = 1.0
# Callers that are remembered; those that are configured are far fewer.
_MAX_CALLERS = 100_000


class Spent(NamedTuple):
    """One caller's budget now: `tokens` for a period, spent and reserved by running requests; the period's end."""

    budget: TokenBudget
    spent: int
    running: int
    ends_at: int

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent."""
        return self.spent >= self.budget.tokens

    @property
    def reserved(self) -> bool:
        """Whether the running requests may use what is left of it."""
        return self.spent + self.running >= self.budget.tokens


class _Account:
    """What one caller has spent in the present periods: of each its number and the tokens.

    Each pair is replaced as a whole: a thread that reads it meanwhile finds what belongs together.
    """

    __slots__ = ("day", "heard_at", "periods", "running", "told")

    def __init__(self) -> None:
        self.periods: dict[Period, tuple[int, int]] = {}
        self.running = 0
        # What the store said that all replicas have spent in a period, with its number, and what was counted here
        # then.
        self.told: dict[Period, tuple[int, int, int]] = {}
        self.heard_at = -math.inf
        self.day: int | None = None  # of the last look: all periods change at midnight

    def advance(self, day: int, wall: float) -> None:
        """Begin the periods that have begun; `day` is that of `wall`."""
        self.day = day
        for per in PERIODS:
            present = period_number(per, wall)
            counted, spent = self.periods.setdefault(per, (present, 0))
            if present > counted:
                self.periods[per] = present, 0
            elif present < counted and wall < period_start(per, counted) - _CORRECTION:
                self.periods[per] = present, spent

    def shared(self, per: Period) -> tuple[int, int]:
        """Return what all replicas had spent when the store last said so, and what was spent here since."""
        number, counted = self.periods[per]
        then, before, told = self.told.get(per, (number, 0, 0))
        if then != number:
            return 0, counted
        return told, max(0, counted - before)

    def spent(self, per: Period) -> int:
        """Return what is spent: here, or as far as is known by all replicas."""
        return max(self.periods[per][1], sum(self.shared(per))) if self.told else self.periods[per][1]

    def spend(self, used: int) -> None:
        """Count what was used."""
        for per, (number, spent) in self.periods.items():
            self.periods[per] = number, spent + used


class Budgets:
    """What each caller has spent, by its name."""

    def __init__(self, max_callers: int = _MAX_CALLERS) -> None:
        self._max_callers = max_callers
        self._accounts: dict[str, _Account] = {}

    def state(self, name: str, budget: TokenBudget, wall: float) -> Spent:
        """Return what a caller has spent of a budget."""
        account = self._account(name, wall)
        number = account.periods[budget.per][0]
        return Spent(budget, account.spent(budget.per), account.running, period_start(budget.per, number + 1))

    def left(self, name: str, budget: TokenBudget, wall: float) -> int:
        """Return what is neither spent nor reserved: a request may begin if it is more than nothing."""
        account = self._account(name, wall)
        return budget.tokens - account.spent(budget.per) - account.running

    def since_told(self, name: str, per: Period, wall: float) -> tuple[int, int]:
        """Return what all replicas had spent when the store last said so, and what is used here since.

        What running requests reserve counts as used.
        """
        account = self._account(name, wall)
        spent, since = account.shared(per)
        return spent, since + account.running

    def told(self, name: str, per: Period, spent: int, wall: float, now: float) -> None:
        """Note what all replicas have spent in the present period, as the store says; `now` is on any clock."""
        account = self._account(name, wall)
        account.told[per] = *account.periods[per], spent
        account.heard_at = now

    def heard(self, name: str, now: float) -> bool:
        """Whether the store said of late what all replicas have spent: else it must be asked."""
        account = self._accounts.get(name)
        return account is not None and now < account.heard_at + _HEARD

    def reserve(self, name: str, estimate: int, wall: float) -> None:
        """Count a running request."""
        self._account(name, wall).running += estimate

    def settle(self, name: str, estimate: int, used: int, wall: float) -> None:
        """End a running request of which so much was reserved: it has used so much."""
        account = self._account(name, wall)
        account.running -= estimate
        account.spend(used)

    def snapshot(self) -> Snapshot:
        """Return what must survive a restart: by caller and period, its number and what was spent.

        It changes nothing, and can run in a thread beside all other methods.
        """
        return {
            name: {per: list(pair) for per, pair in account.periods.items()}
            for name, account in list(self._accounts.items())
            if any(spent for _, spent in account.periods.values())
        }

    def restore(self, saved: object, before: Snapshot | None = None) -> Snapshot:
        """Count what a snapshot has more than an earlier one, `before`, which was restored already; return it.

        So two processes that overlap count together what each of them counts. Raises ValueError for anything else.
        """
        if not isinstance(saved, dict):
            raise ValueError("no budgets")  # noqa: TRY004 - of a file
        found = {name: {per: _pair(periods, per) for per in PERIODS} for name, periods in saved.items()}
        for name, periods in found.items():
            account = self._accounts.setdefault(name, _Account())
            for per, (number, spent) in periods.items():
                known, known_spent = (before or {}).get(name, {}).get(per, (number, 0))
                present, counted = account.periods.get(per, (number, 0))
                if present <= number:
                    more = spent - (known_spent if known == number else 0)
                    account.periods[per] = number, max(0, more) + (counted if present == number else 0)
        return saved

    def __len__(self) -> int:
        return len(self._accounts)

    def __repr__(self) -> str:
        return f"<Budgets of {len(self)} callers>"

    def _account(self, name: str, wall: float) -> _Account:
        account, day = self._accounts.get(name), int(wall // _DAY)
        if account is None:
            if len(self._accounts) >= self._max_callers:
                del self._accounts[next(iter(self._accounts))]
            account = _Account()
            account.advance(day, wall)  # before a snapshot can see it
            self._accounts[name] = account
        elif account.day != day:
            account.advance(day, wall)
        return account


def period_number(per: Period, wall: float) -> int:
    """Return the number of the period that a time is in; each is one higher than the one before."""
    day = int(wall // _DAY)
    match per:
        case "day":
            return day
        case "week":
            return (day + _THURSDAY) // 7
        case "month":
            return _month_of(day)


def period_start(per: Period, number: int) -> int:
    """Return when a period begins (Unix time)."""
    match per:
        case "day":
            return number * _DAY
        case "week":
            return (number * 7 - _THURSDAY) * _DAY
        case "month":
            return _first_day(number) * _DAY


def date_of(wall: float) -> str:
    """Return the date of a time, UTC: `2027-03-31`."""
    day = int(wall // _DAY)
    month = _month_of(day)
    return f"{month // 12:04}-{month % 12 + 1:02}-{day - _first_day(month) + 1:02}"


def _first_day(month: int) -> int:
    """Return the days from 1970-01-01 to the first of a month; months are counted from January of the year 0.

    https://howardhinnant.github.io/date_algorithms.html#days_from_civil
    """
    year, of_year = divmod(month - 2, 12)  # years that begin in March end with the leap day
    era, of_era = divmod(year, 400)
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + (153 * of_year + 2) // 5 - 719_468


def _month_of(day: int) -> int:
    month = 12 * 1970 + int(day / 30.436875)
    while _first_day(month) > day:
        month -= 1
    while _first_day(month + 1) <= day:
        month += 1
    return month


def _pair(periods: Any, per: Period) -> tuple[int, int]:
    found = periods.get(per) if isinstance(periods, dict) else None
    if not isinstance(found, list) or len(found) != 2 or not all(type(each) is int for each in found):  # noqa: PLR2004 - a pair
        raise ValueError(f"no number and tokens of a {per}")
    number, spent = found
    if not 0 <= number <= _LAST_PERIOD or not 0 <= spent <= _MOST_SPENT:
        raise ValueError(f"a {per} or tokens that cannot be")
    return number, spent
