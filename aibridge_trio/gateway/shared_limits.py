"""The limits that replicas share: what a request needs of the store, what it has of it, and what the store says.

The limiter checks a request first. What it grants, the store is asked for: all of it or nothing. What the limiter
takes back goes back to the store at once, without a wait. What the store denies, the limiter refuses others, too,
until the store may have it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import trio

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.lease import Lease, Limit
from aibridge_trio.core.limits.others import REFRESH
from aibridge_trio.core.sharing.needs import Ask, Away, BudgetUse, Denied, Granted, Holding, Leave, Message, Use
from aibridge_trio.errors import StoreUnavailable
from aibridge_trio.sharing.store import Store

# Between two questions for what others hold, however much they give back (seconds).
_SOONEST = 0.01


class StoreUse:
    """What the store counts for one request: by key the amounts it holds, and the uses that may be taken back.

    `counted`: the store has counted it against its rates, whichever these were then.
    """

    __slots__ = ("_limits", "counted", "held", "used")

    def __init__(self, limits: SharedLimits) -> None:
        self._limits = limits
        self.held: dict[str, int] = {}
        self.used: dict[str, tuple[float, float]] = {}  # by key: the span, and when it was counted
        self.counted = False

    def has(self, needs: Ask, granted: Granted) -> None:
        """Note what was granted."""
        taken = [(each.key, each.amount) for each in needs.holdings if each.key not in granted.short]
        for key, amount in taken:
            self.held[key] = amount
        for use in needs.uses:
            if use.key not in granted.short:
                self.used[use.key] = use.span, granted.at
        self._limits.others.took(taken)

    def keep(self, holdings: Collection[str], *, charged: bool) -> None:
        """Give back all but these; and unless it is charged still, what it was counted against."""
        left = [key for key in self.held if key not in holdings]
        uncounted = [] if charged else [*self.used]
        self.counted &= charged
        if not (left or uncounted):
            return
        amounts = tuple((key, self.held.pop(key)) for key in left)
        self._limits.others.gave_back(amounts)
        times = tuple((key, *self.used.pop(key)) for key in uncounted)
        self._limits.store.leave(Leave(amounts, uncounted=times))

    def __repr__(self) -> str:
        return f"<StoreUse {len(self.held)} held, {len(self.used)} used>"


class Answered(NamedTuple):
    """What came of an ask.

    denied  Why the request may not go; None if it may.
    left    What remains of its caller's rate, and in how many seconds all of it is free; None if not asked for.
    short   The limits in shadow that would have refused it.
    """

    denied: Denied | None = None
    left: tuple[int, float] | None = None
    short: Sequence[Limit] = ()


class Needs:
    """What a request needs besides its lease's part; see `gateway.spending.Bill`."""

    uses: tuple[Use, ...] = ()
    budget: BudgetUse | None = None

    def granted(self, answer: Granted) -> None:
        """Note that the store counts it."""

    def let_in(self) -> None:
        """Check this replica's part of it, since the store is away; raises the reject of what is beyond it."""


class SharedLimits:
    """Asks the store for requests, and knows what other replicas hold. `run` must run while requests may wait."""

    def __init__(self, limiter: ConcurrencyLimiter, store: Store, clock: Callable[[], float]) -> None:
        self.store = store
        self._limiter = limiter
        self._clock = clock
        self._divided: tuple[int, list[bool]] = (1, [])
        self._woken = trio.Event()
        self.others = limiter.sharing.others
        if store.shared:
            store.on_message("freed", self._freed)
            store.on_condition(self._changed)
            self.divide()

    def missed(self) -> None:
        """Note that a request is refused or has to wait."""
        if self.store.shared:
            self.others.missed(self._clock())

    def of(self, lease: Lease) -> tuple[list[Holding], list[Use]]:
        """Return what a lease holds and is counted against."""
        return self._limiter.sharing.needs(lease)

    async def ask(
        self, lease: Lease, had: StoreUse, bill: Needs | None = None, probe: Holding | None = None
    ) -> Answered:
        """Ask for what a request needs and has not yet.

        Raises StoreUnavailable, and what `Needs.let_in` raises.
        """
        holdings, uses = self.of(lease)
        if probe:
            holdings.append(probe)
        own = () if had.counted else tuple(uses)
        needs = Ask(
            tuple(each for each in holdings if each.key not in had.held),
            own + bill.uses if bill else own,
            bill.budget if bill else None,
        )
        if not needs:
            return Answered()
        answer = await self.store.ask(needs)
        now = self._clock()
        if isinstance(answer, Away):
            if self.store.condition == "closed" and _is_limited(needs, probe):
                raise StoreUnavailable
            self.divide()
            if self._limiter.sharing.exceeds(lease, now, counted=not own):
                return Answered(Denied(""))
            if bill:
                bill.let_in()
            self.store.hold(needs)
            answer = Granted(0.0)
        left = answer.left[0] if own and answer.left else None
        if isinstance(answer, Denied):
            self._limiter.sharing.denied(lease, needs.holdings, answer, now)
            self._woken.set()
            return Answered(answer, left)
        had.has(Ask(needs.holdings, own), answer)
        had.counted = lease.charged_at is not None
        if bill:
            bill.granted(answer)
        self.others.answered(needs.holdings, answer, now)
        short = self._limiter.sharing.short(lease, answer.short) if answer.short else []
        return Answered(None, left, short)

    def divide(self) -> None:
        """Let this replica have its part of each limit, or the whole of it again, as the store's condition is."""
        store = self.store
        now_as = store.replicas, [*map(store.settled, (0.0, *self._limiter.rates.spans))]
        if now_as != self._divided:
            self._divided = now_as
            self._limiter.divide(self.part_of, store.replicas, self._clock())

    def part_of(self, span: float) -> int:
        """Return of how many parts of a limit over so many seconds this replica has one: 1 if it has the whole."""
        return 1 if self.store.settled(span) else self.store.replicas

    async def run(self) -> None:
        """Ask what others hold of limits that have refused requests of late, until cancelled.

        And say for which of them requests wait, so that what others give back is shared out evenly.
        """
        while True:
            matters = bool(len(self.others)) or self.store.condition == "settling"
            with trio.move_on_after(REFRESH if matters else math.inf):
                await self._woken.wait()
            self._woken = trio.Event()
            self.divide()
            waiting = self._limiter.statistics(self._clock()).waiting
            keys = self.others.due(self._clock(), waiting=bool(waiting))
            if keys:
                self._learn(keys, await self.store.call(["totals", keys, self._limiter.sharing.lacking(keys)]))
            self._limiter.others_changed(self._clock())
            await trio.sleep(_SOONEST)

    def _learn(self, keys: Sequence[str], totals: object) -> None:
        """Take what others hold; nothing if the store is away, or what it says is none."""
        if isinstance(totals, list) and len(totals) == len(keys) and all(type(each) is int for each in totals):
            self.others.told(dict(zip(keys, totals, strict=True)), self._clock())

    def _changed(self, _store: Store) -> None:
        self.divide()
        self._woken.set()

    def _freed(self, _message: Message) -> None:
        if len(self.others):
            self._woken.set()

    def __repr__(self) -> str:
        return f"<SharedLimits {self.store!r} {self.others!r}>"


def _is_limited(needs: Ask, probe: Holding | None) -> bool:
    """Return whether a limit may refuse a request: not those in shadow, and the right to a probe is none."""
    held = any(not each.soft for each in needs.holdings if each is not probe)
    return held or any(not each.soft for each in needs.uses) or needs.budget is not None
