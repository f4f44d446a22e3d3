"""What a request needs of the limits that replicas share, the store's answer, and what it gives back.

A key names a limit: `slots`, `caller:…`, `class:…`, `provider:…`, and so on. What identifies a caller in it is a
keyed hash. Times and spans are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from aibridge_trio.core.terms import Period


class Holding(NamedTuple):
    """`amount` of a limit, held until it is given back, if all replicas hold at most `limit` with it.

    `soft`: the limit is in shadow. It is taken if it is free, and refuses nothing.
    """

    key: str
    limit: int
    amount: int = 1
    soft: bool = False


@dataclass(slots=True, unsafe_hash=True)
class Use:
    """`count` of a rate: at most `amount` in any `span` seconds.

    What is `running` counts until it is settled, and what was used then for a span from that moment (tokens); else
    it counts from now on (requests). A `soft` one counts if it fits, and refuses nothing. It is not to be changed.
    """

    key: str
    amount: int
    span: float
    count: int = 1
    running: bool = False
    soft: bool = False


class BudgetUse(NamedTuple):
    """An estimate of tokens, reserved if less than `tokens` are spent or reserved in the present period."""

    key: str
    tokens: int
    per: Period
    estimate: int


class Ask(NamedTuple):
    """All that one request needs: it gets all of it, or nothing."""

    holdings: tuple[Holding, ...] = ()
    uses: tuple[Use, ...] = ()
    budget: BudgetUse | None = None

    def __bool__(self) -> bool:
        """Whether the request needs anything."""
        return bool(self.holdings or self.uses or self.budget)


class Granted(NamedTuple):
    """The request has all it asked for, but for soft needs in `short`, by their keys.

    at      When, by the store's clock: what `Leave.uncounted` refers to.
    totals  What all replicas hold of each holding's key now, this request included.
    left    What remains of each use's amount, and in how many seconds all of it is free again; in their order.
    spent   What is spent in the budget's present period, without what is reserved.
    """

    at: float
    totals: Mapping[str, int] = MappingProxyType({})
    left: tuple[tuple[int, float], ...] = ()
    spent: int = 0
    short: tuple[str, ...] = ()


class Denied(NamedTuple):
    """The request has nothing; `key` is the need that refuses it.

    Of several that is the first holding, else the budget, else the use with the longest wait. `wait` is the time
    until the request's turn, for a use; 0 for others. `left` is as in `Granted`. `spent` is what is spent of the
    budget; the budget is exhausted if it is no less than its tokens, else it is reserved.
    """

    key: str
    wait: float = 0.0
    totals: Mapping[str, int] = MappingProxyType({})
    left: tuple[tuple[int, float], ...] = ()
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Away:
    """The store did not answer in time, or is known to be away: the replica has its part, or refuses."""


Answer = Granted | Denied | Away


class Settled(NamedTuple):
    """A running use has ended: `estimate` counts no more, and `used` does from now on, unless that is 0."""

    key: str
    span: float
    estimate: int
    used: int


class Leave(NamedTuple):
    """What a request gives back: amounts of holdings, what it used, and counts of requests that did not go up.

    `budget` is key, estimate and what was used. `uncounted` is key, span and `Granted.at` of uses that do not run;
    0 for those of a request that was let in without the store.
    """

    holdings: tuple[tuple[str, int], ...] = ()
    settled: tuple[Settled, ...] = ()
    budget: tuple[str, int, int] | None = None
    uncounted: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def unused(cls, ask: Ask, granted: Granted) -> Leave:
        """Return all that was granted, for a request that does not use it."""
        short, budget = granted.short, ask.budget
        had = [use for use in ask.uses if use.key not in short]
        return cls(
            tuple((each.key, each.amount) for each in ask.holdings if each.key not in short),
            tuple(Settled(use.key, use.span, use.count, 0) for use in had if use.running),
            (budget.key, budget.estimate, 0) if budget else None,
            tuple((use.key, use.span, granted.at) for use in had if not use.running),
        )

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.holdings or self.settled or self.budget or self.uncounted)


@dataclass(frozen=True, slots=True)
class Message:
    """The present value of `topic` and `key`, and its version, which each change raises by one.

    `age` is how long ago it was set, by the store's clock: times in `value` are seconds from then. `sender` is the
    replica that set it.
    """

    topic: str
    key: str
    version: int
    value: object
    age: float = 0.0
    sender: str = ""
