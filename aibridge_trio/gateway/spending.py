"""Limits on tokens, budgets, and limits on requests to a provider: what a request is charged with, and settles.

A request is charged with an estimate once its body is read: a token for each four bytes of it, and the greatest
output that it permits, or the usual one of its provider. However the request ends, the estimate is replaced by
what the provider reports, or by what was seen of the answer. What never went up, or was refused, costs nothing.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import TracebackType
from typing import Self

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.budgets import Budgets, Spent, date_of
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.expected_output import ExpectedOutput
from aibridge_trio.core.inspection.output_estimate import BYTES_PER_TOKEN
from aibridge_trio.core.limits.usage_limits import UsageLimits, with_rate
from aibridge_trio.core.limits.usage_window import Charge, UsageWindow, Use
from aibridge_trio.core.limits.usage_windows import UsageWindows
from aibridge_trio.errors import BudgetExhausted, RateLimited, Reject, TokenLimited, UpstreamFault
from aibridge_trio.errors.usage_rejects import Whose
from aibridge_trio.gateway.buffering import BufferedBody
from aibridge_trio.gateway.model_routes import Elsewhere
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.gateway.routing import Target
from aibridge_trio.http.message import Reply
from aibridge_trio.sharing.store import OwnStore, Store

# Bytes of embedded data for each token, about: an image has 400 and more, a document 20.
_BYTES_OF_DATA = 100.0
# Callers that are remembered, to be shown: those of the latest requests.
_LATEST = 1000
# When a request comes back whose budget is reserved by others (seconds): each may end at any moment.
_BUDGET_WAIT = 1.0


class Bill:
    """What one request is charged with; leaving the context settles it, or gives it back.

    `estimate` is its tokens, 0 if it is not metered: a route whose answers are not read.
    """

    def __init__(self, spending: Spending, record: Record, caller: Caller, prompt: int, output: int) -> None:
        self.estimate = prompt + output
        self._spending = spending
        self._record = record
        self._caller = caller
        self._prompt = prompt
        self._charges: list[Charge] = []
        self._of_key: list[Charge] = []

    def add(self, charges: Iterable[Charge]) -> None:
        """Charge the request with these, too."""
        self._charges += charges

    def use_key(self, limits: UsageLimits | None) -> None:
        """Charge the limits of the provider's key that the request is sent with, in place of another key's."""
        if not (limits or self._of_key):
            return
        now = self._spending.clock()
        for charge in self._of_key:
            charge.refund(now)
        self._of_key = limits.charge(self.estimate, now) if limits else []

    def __enter__(self) -> Self:
        self._record.bill = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._record.bill = None  # it refers to the record: leave no reference cycle
        used = self._used(error)
        now = self._spending.clock()
        for charge in (*self._charges, *self._of_key):
            if used is None:
                charge.refund(now)
            else:
                charge.settle(used if self.estimate else 0, now)
        if self.estimate:
            self._spending.settled(self._caller, self._record, self.estimate, used or 0)

    def _used(self, error: BaseException | None) -> int | None:
        """Return the tokens of a request that has ended, None if there are none to speak of."""
        record, usage = self._record, self._record.usage
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


class Spending:
    """All limits on tokens and budgets, and those on requests to a provider. Times are in seconds."""

    def __init__(
        self,
        known: KnownCallers,
        providers: Iterable[ProviderTable],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        store: Store | None = None,
    ) -> None:
        self.store: Store = store or OwnStore()
        self.clock = clock
        self.wall_clock = wall_clock
        self.budgets = Budgets()
        self.classes: dict[str, UsageWindow] = {}
        self.providers: dict[str, UsageLimits] = {}
        self.callers = UsageWindows()
        self.latest: OrderedDict[object, Caller] = OrderedDict()
        self._keys_metered: frozenset[str] = frozenset()
        self._expected = ExpectedOutput()
        self.apply(known, providers)

    def apply(self, known: KnownCallers, providers: Iterable[ProviderTable]) -> None:
        """Replace the limits; what is counted stays. Callers bring their own with their next requests."""
        providers = tuple(providers)
        rates = {name: totals.token_rate for name, totals in known.totals.items()}
        windows = {name: with_rate(self.classes.get(name), rate) for name, rate in rates.items()}
        self.classes = {name: window for name, window in windows.items() if window}
        limits: dict[str, UsageLimits] = {}
        for table in providers:
            if table.rate or table.token_rate:
                limits[table.name] = self.providers.get(table.name) or UsageLimits()
                limits[table.name].apply(table.rate, table.token_rate)
        self.providers = limits
        present = {each.name: each for each in known.callers}
        for key, caller in [*self.latest.items()]:
            if each := present.get(caller.name):
                self.latest[key] = replace(caller, terms=each.terms, class_name=each.class_name)
            else:
                del self.latest[key]
        self._keys_metered = frozenset(
            table.name for table in providers if any(key.rate or key.token_rate for key in table.keys)
        )

    def needs_body(self, caller: Caller, target: Target) -> bool:
        """Return whether the tokens of a request must be estimated, for which its body is read first."""
        return target.route.intercepted and self._applies(caller, target.name)

    def charge(
        self, caller: Caller, target: Target, record: Record, reply: Reply, body: BufferedBody | None = None
    ) -> AbstractContextManager[object]:
        """Charge a request whose body has been read, if it needs to be; use the result as a context.

        Raises BudgetExhausted, TokenLimited, and RateLimited for the provider's limit of requests.
        """
        provider = target.name
        if not self._applies(caller, provider):
            return nullcontext()
        prompt = output = 0
        if body and target.route.intercepted:
            data = min(body.embedded, body.size)
            prompt = math.ceil((body.size - data) / BYTES_PER_TOKEN + data / _BYTES_OF_DATA)
            output = self._expected.tokens(provider, body.found)
        bill = Bill(self, record, caller, prompt, output)
        now = self.clock()
        limits = self.providers.get(provider)
        if bill.estimate:
            self._check_budget(caller)
        windows = self._windows(caller, limits, now) if bill.estimate else []
        requests = limits.requests if limits else None
        full = [window for _, window in windows if not window.allows(bill.estimate, now)]
        if full or (requests and not requests.allows(1, now)):
            raise self._refusal(windows, requests, provider, bill.estimate, now)
        bill.add([window.charge(bill.estimate) for _, window in windows])
        if requests:
            bill.add([requests.count(now)])
        if bill.estimate:
            self._reserve(caller, bill.estimate)
            for whose, window in windows:
                if whose == "caller":
                    _show(window.use(now), record, reply)
        return bill

    def settled(self, caller: Caller, record: Record, estimate: int, used: int) -> None:
        """Note the end of a request: what it used of its caller's budget, and how long its answer was."""
        if caller.terms and caller.terms.budget:
            self.budgets.settle(caller.name, estimate, used, self.wall_clock())
        if record.output:
            self._expected.learn(record.provider, record.output)

    def _applies(self, caller: Caller, provider: str) -> bool:
        terms = caller.terms
        if provider in self.providers or provider in self._keys_metered or caller.class_name in self.classes:
            return True
        return terms is not None and (terms.token_rate is not None or terms.budget is not None)

    def _windows(self, caller: Caller, limits: UsageLimits | None, now: float) -> list[tuple[Whose, UsageWindow]]:
        """Return the limits on tokens that apply."""
        found: list[tuple[Whose, UsageWindow]] = []
        if caller.terms and (rate := caller.terms.token_rate):
            found.append(("caller", self.callers.of(_key(caller), rate, now)))
        if of_class := self.classes.get(caller.class_name):
            found.append(("class", of_class))
        if limits and limits.tokens:
            found.append(("provider", limits.tokens))
        return found

    def _refusal(
        self,
        windows: list[tuple[Whose, UsageWindow]],
        requests: UsageWindow | None,
        provider: str,
        estimate: int,
        now: float,
    ) -> Reject:
        """Return the reject of a request that limits refuse: of several the one with the longest wait."""
        waits = [(window.wait(estimate, now), whose, window) for whose, window in windows]
        longest, whose, window = max(waits, key=lambda each: each[0], default=(0.0, None, None))
        if window is None or (requests and requests.wait(1, now) > longest):
            assert requests
            return RateLimited(requests.refuse(1, now), 0.0, provider)
        assert whose
        wait, rate = window.refuse(estimate, now), window.rate
        return TokenLimited(whose, wait, amount=rate.amount, span=rate.span, provider=provider)

    def _check_budget(self, caller: Caller) -> None:
        if not (caller.terms and (budget := caller.terms.budget)):
            return
        wall = self.wall_clock()
        if self.budgets.left(caller.name, budget, wall) > 0:
            return
        spent = self.budgets.state(caller.name, budget, wall)
        if spent.exhausted:
            raise BudgetExhausted(budget.tokens, budget.per, date_of(spent.ends_at))
        raise TokenLimited("budget", _BUDGET_WAIT)

    def _reserve(self, caller: Caller, estimate: int) -> None:
        if not (caller.terms and (caller.terms.budget or caller.terms.token_rate)):
            return
        key = _key(caller)
        self.latest[key] = caller
        self.latest.move_to_end(key)
        if len(self.latest) > _LATEST:
            self.latest.popitem(last=False)
        if caller.terms.budget:
            self.budgets.reserve(caller.name, estimate, self.wall_clock())

    # What is shown

    def use_of(self, caller: Caller) -> Use | None:
        """Return what a caller's limit on tokens has counted, None without a limit."""
        rate = caller.terms.token_rate if caller.terms else None
        if rate is None:
            return None
        window = self.callers.find(_key(caller))
        use = window.use(self.clock()) if window else Use(0, 0, 0, 0.0)
        return use._replace(amount=rate.amount)

    def budget_of(self, caller: Caller) -> Spent | None:
        """Return what a caller has spent of its budget, None without one."""
        budget = caller.terms.budget if caller.terms else None
        return self.budgets.state(caller.name, budget, self.wall_clock()) if budget else None

    def __repr__(self) -> str:
        return f"<Spending {self.callers!r} classes={len(self.classes)} providers={len(self.providers)}>"


def _key(caller: Caller) -> object:
    return caller.name or caller.key


def _broke_early(fault: UpstreamFault) -> bool:
    """Return whether a provider was lost before its answer: one that is only late may have done the work."""
    return fault.phase == "head" and not fault.timeout


def _show(use: Use, record: Record, reply: Reply) -> None:
    """Show the caller in its answer what it has used of its limit."""
    if not record.token_headers:
        reply.add_defaults(record.token_headers)  # once, although each provider of a route charges
    record.token_headers[:] = [
        (b"x-ratelimit-limit-tokens", b"%d" % use.amount),
        (b"x-ratelimit-remaining-tokens", b"%d" % use.remaining),
        (b"x-ratelimit-reset-tokens", b"%ds" % max(1, math.ceil(use.reset))),
    ]
