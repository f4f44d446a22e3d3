"""What one request is charged with of tokens, budgets and a provider's requests: here, and by the store."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.usage_limits import UsageLimits
from aibridge_trio.core.limits.usage_window import Charge, UsageWindow
from aibridge_trio.core.sharing.needs import BudgetUse, Denied, Granted, Leave, Settled, Use
from aibridge_trio.core.terms import Rate
from aibridge_trio.errors import RateLimited, Reject, TokenLimited, UpstreamFault
from aibridge_trio.errors.usage_rejects import Whose
from aibridge_trio.gateway.model_routes import Elsewhere
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.gateway.shared_limits import Needs
from aibridge_trio.http.message import Reply

if TYPE_CHECKING:
    from aibridge_trio.gateway.spending import Spending


class Metered(NamedTuple):
    """A limit on tokens: whose it is, its window, which may have this replica's part, the whole, and its key."""

    whose: Whose
    window: UsageWindow
    rate: Rate
    key: str


class Bill(Needs):
    """What one request is charged with; leaving the context settles it, or gives it back.

    `estimate` is its tokens, 0 if it is not metered: a route whose answers are not read. `windows` and `requests`
    are the limits that count it; `uses` and `budget` are what the store should count.
    """

    def __init__(
        self,
        spending: Spending,
        record: Record,
        reply: Reply,
        caller: Caller,
        *,
        provider: str,
        tokens: tuple[int, int],
    ) -> None:
        self._prompt, output = tokens
        self.estimate = self._prompt + output
        self.caller, self.provider = caller, provider
        self.record, self.reply = record, reply
        self._spending = spending
        self.windows: list[Metered] = []
        self.requests: UsageWindow | None = None
        self._charges: list[Charge] = []
        self._of_key: list[Charge] = []
        self._charged = False
        self._granted_at: float | None = None

    def charge(self) -> None:
        """Charge all limits, or raise the reject of the first one that refuses."""
        self._charges = self._spending.check_and_charge(self)
        self._charged = True

    def give_back(self) -> None:
        """Count nothing for a request that has yet to go up: it is charged again, or rejected."""
        if not self._charged:
            return
        self._charged = False
        now = self._spending.clock()
        for charge in self._charges:
            charge.refund(now)
        self._charges = []
        if self.estimate:
            self._spending.unreserve(self)

    def use_key(self, limits: UsageLimits | None) -> None:
        """Charge the limits of the provider's key that the request is sent with, in place of another key's."""
        if not (limits or self._of_key):
            return
        now = self._spending.clock()
        for charge in self._of_key:
            charge.refund(now)
        self._of_key = limits.charge(self.estimate, now) if limits else []

    def __enter__(self) -> Self:
        self.record.bill = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.record.bill = None  # it refers to the record: leave no reference cycle
        used = self._used(error)
        now = self._spending.clock()
        for charge in (*self._charges, *self._of_key):
            if used is None:
                charge.refund(now)
            else:
                charge.settle(used if self.estimate else 0, now)
        if self.estimate and self._charged:
            self._spending.settled(self.caller, self.record, self.estimate, used or 0)
        if self._granted_at is not None:
            self._spending.store.leave(self._left(self._granted_at, used))

    # What the store counts

    def granted(self, answer: Granted) -> None:
        """Note that the store counts it, and what is left of its caller's tokens and budget."""
        self._granted_at = answer.at
        if answer.at:  # else the store is away
            self._told(answer)

    def let_in(self) -> None:
        """Check this replica's part of all limits, since the store is away; raises the reject of a used up one."""
        self.give_back()
        self.charge()

    def reject_of(self, denied: Denied) -> Reject | None:
        """Return the reject, if one of these limits is why the store denies the request.

        Until its turn requests that use as much are refused here.
        """
        if not denied.key:  # it is this replica's part that is exceeded: the store has said nothing
            return None
        self._told(denied)
        now = self._spending.clock()
        if self.budget and denied.key == self.budget.key:
            return self._spending.budget_reject(self)
        if self.requests and denied.key == self.uses[-1].key:
            self.requests.bar(1, now + denied.wait)
            return RateLimited(denied.wait, 0.0, self.provider)
        for whose, window, rate, key in self.windows:
            if denied.key == key:
                window.bar(self.estimate, now + denied.wait)
                return TokenLimited(whose, denied.wait, amount=rate.amount, span=rate.span, provider=self.provider)
        return None

    def show(self, amount: int, remaining: int, reset: float) -> None:
        """Show the caller in its answer what is left of its limit."""
        headers = self.record.token_headers
        if not headers:
            self.reply.add_defaults(headers)  # once, although each provider of a route charges
        headers[:] = [
            (b"x-ratelimit-limit-tokens", b"%d" % amount),
            (b"x-ratelimit-remaining-tokens", b"%d" % remaining),
            (b"x-ratelimit-reset-tokens", b"%ds" % max(1, math.ceil(reset))),
        ]

    def _told(self, answer: Granted | Denied) -> None:
        if self.budget:
            self._spending.told(self, answer)
        # The bill's uses are the last ones of what was asked.
        for metered, (left, reset) in zip(self.windows, answer.left[-len(self.uses) :], strict=False):
            if metered.whose == "caller":
                self.show(metered.rate.amount, left, reset)

    def _left(self, at: float, used: int | None) -> Leave:
        """Return what the store is given back at the end."""
        settled = tuple(Settled(use.key, use.span, use.count, used or 0) for use in self.uses if use.running)
        uncounted = tuple((use.key, use.span, at) for use in self.uses if not use.running and used is None)
        budget = self.budget
        return Leave((), settled, (budget.key, budget.estimate, used or 0) if budget else None, uncounted)

    def _used(self, error: BaseException | None) -> int | None:
        """Return the tokens of a request that has ended, None if there are none to speak of."""
        record, usage = self.record, self.record.usage
        output = max(usage.output, record.output)
        if (prompt := usage.prompt) or usage.output:
            return (prompt or self._prompt) + output
        if not record.may_be_served or isinstance(error, Reject | Elsewhere):
            return None
        if isinstance(error, UpstreamFault) and (error.phase == "connect" or _broke_early(error)):
            return None
        if record.provider_status is not None and record.provider_status >= ERRORS_FROM:
            return None
        return self._prompt + output


def uses_of(windows: Iterable[Metered], estimate: int, requests: tuple[str, Rate] | None) -> tuple[Use, ...]:
    """Return what the store should count: the estimate for each limit on tokens, and last one of the requests."""
    found = [Use(each.key, each.rate.amount, each.rate.span, estimate, running=True) for each in windows]
    if requests:
        key, rate = requests
        found.append(Use(key, rate.amount, rate.span))
    return tuple(found)


def budget_use(caller: Caller, key: str, estimate: int) -> BudgetUse | None:
    """Return what the store should reserve of a caller's budget, None without one."""
    budget = caller.terms.budget if caller.terms else None
    return BudgetUse(key, budget.tokens, budget.per, estimate) if budget else None


def _broke_early(fault: UpstreamFault) -> bool:
    """Return whether a provider was lost before its answer: one that is only late may have done the work."""
    return fault.phase == "head" and not fault.timeout
