"""Limits on tokens, budgets, and limits on requests to a provider: what a request is charged with, and settles.

A request is charged with an estimate once its body is read: a token for each four bytes of it, and the greatest
output that it permits, or the usual one of its provider. However the request ends, the estimate is replaced by
what the provider reports, or by what was seen of the answer. What never went up, or was refused, costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from aibridge_trio.config.known_callers import NO_CLASS, KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.core.budgets import Budgets, Spent, date_of
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.expected_output import ExpectedOutput
from aibridge_trio.core.inspection.output_estimate import BYTES_PER_TOKEN
from aibridge_trio.core.limits import store_keys
from aibridge_trio.core.limits.store_keys import RATE, SPENT, TOKENS
from aibridge_trio.core.limits.usage_limits import UsageLimits, with_rate
from aibridge_trio.core.limits.usage_window import Charge, UsageWindow, Use
from aibridge_trio.core.limits.usage_windows import UsageWindows
from aibridge_trio.core.sharing.needs import Denied, Granted
from aibridge_trio.core.sharing.parts import budget_part, part
from aibridge_trio.core.terms import Period, Rate
from aibridge_trio.errors import BudgetExhausted, RateLimited, Reject, TokenLimited
from aibridge_trio.gateway.bill import Bill, Metered, budget_use, uses_of
from aibridge_trio.gateway.buffering import BufferedBody
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
        # The budgets of all callers by class and period, and the classes.
        self.class_budgets: Counter[tuple[str, Period]] = Counter()
        for one in known.callers:
            if budget := one.terms.budget:
                self.class_budgets[one.class_name or NO_CLASS, budget.per] += budget.tokens
        self.class_names = (NO_CLASS, *known.classes) if known else ()
        self._class_rates = {name: rate for name, rate in rates.items() if rate}
        windows = {name: with_rate(self.classes.get(name), rate) for name, rate in rates.items()}
        self.classes = {name: window for name, window in windows.items() if window}
        limits: dict[str, UsageLimits] = {}
        for table in providers:
            if table.rate or table.token_rate:
                limits[table.name] = self.providers.get(table.name) or UsageLimits()
                limits[table.name].apply(table.rate, table.token_rate)
        self.providers = limits
        self._provider_rates = {table.name: (table.rate, table.token_rate) for table in providers}
        present = {each.name: each for each in known.callers}
        for key, caller in [*self.latest.items()]:
            if each := present.get(caller.name):
                self.latest[key] = replace(caller, terms=each.terms, class_name=each.class_name)
            else:
                del self.latest[key]
        self._keys_metered = frozenset(
            table.name for table in providers if any(key.rate or key.token_rate for key in table.keys)
        )

    def applies(self, caller: Caller, provider: str) -> bool:
        """Return whether a caller's requests to a provider are charged.

        Then tokens are estimated, for which the body is read first.
        """
        terms = caller.terms
        if provider in self.providers or provider in self._keys_metered or caller.class_name in self.classes:
            return True
        return terms is not None and (terms.token_rate is not None or terms.budget is not None)

    def charge(
        self, caller: Caller, target: Target, record: Record, reply: Reply, body: BufferedBody | None = None
    ) -> AbstractContextManager[Bill | None]:
        """Charge a request whose body has been read, if it needs to be; use the result as a context.

        Raises BudgetExhausted, TokenLimited, and RateLimited for the provider's limit of requests.
        """
        provider = target.name
        if not self.applies(caller, provider):
            return nullcontext()
        prompt = output = 0
        if body and target.route.intercepted:
            data = min(body.embedded, body.size)
            prompt = math.ceil((body.size - data) / BYTES_PER_TOKEN + data / _BYTES_OF_DATA)
            output = self._expected.tokens(provider, body.found)
        bill = Bill(self, record, reply, caller, provider=provider, tokens=(prompt, output))
        bill.charge()
        return bill

    def check_and_charge(self, bill: Bill) -> list[Charge]:
        """Return the charges of a bill, once all limits allow it; raises as `charge` does."""
        now = self.clock()
        caller, estimate = bill.caller, bill.estimate
        limits = self.providers.get(bill.provider)
        seems_spent = bool(estimate) and self._check_budget(bill)
        windows = bill.windows = self._windows(caller, limits, bill.provider, now) if estimate else []
        requests = bill.requests = limits.requests if limits else None
        whole = self._provider_rates.get(bill.provider, (None, None))[0]
        if requests and whole:
            requests.rate = self._part(whole)
        full = [each for each in windows if not each.window.allows(estimate, now)]
        if full or (requests and not requests.allows(1, now)):
            raise self.budget_reject(bill) if seems_spent else self._refusal(bill, now)
        charges = [each.window.charge(estimate) for each in windows]
        if requests:
            charges.append(requests.count(now))
        if estimate:
            self._reserve(caller, estimate)
            for each in windows:
                if each.whose == "caller":
                    use = each.window.use(now)
                    bill.show(use.amount, use.remaining, use.reset)
        if self.store.shared:
            of_provider = (RATE + store_keys.of_provider(bill.provider), whole) if requests and whole else None
            bill.uses = uses_of(windows, estimate, of_provider)
            bill.budget = (
                budget_use(caller, SPENT + store_keys.of_caller(caller.key), estimate) if estimate else None
            )
        return charges

    def settled(self, caller: Caller, record: Record, estimate: int, used: int) -> None:
        """Note the end of a request: what it used of its caller's budget, and how long its answer was."""
        if caller.terms and caller.terms.budget:
            self.budgets.settle(caller.name, estimate, used, self.wall_clock())
        if record.output:
            self._expected.learn(record.provider, record.output)

    def _windows(self, caller: Caller, limits: UsageLimits | None, provider: str, now: float) -> list[Metered]:
        """Return the limits on tokens that apply."""
        found: list[Metered] = []
        if caller.terms and (rate := caller.terms.token_rate):
            window = self.callers.of(_key(caller), self._part(rate), now)
            found.append(Metered("caller", window, rate, TOKENS + store_keys.of_caller(caller.key)))
        if of_class := self.classes.get(caller.class_name):
            rate = self._class_rates[caller.class_name]
            of_class.rate = self._part(rate)
            found.append(Metered("class", of_class, rate, TOKENS + store_keys.of_class(caller.class_name)))
        if limits and limits.tokens:
            whole = self._provider_rates[provider][1]
            assert whole
            limits.tokens.rate = self._part(whole)
            found.append(Metered("provider", limits.tokens, whole, TOKENS + store_keys.of_provider(provider)))
        return found

    def _part(self, rate: Rate) -> Rate:
        """Return a rate, or while the store is away, and for a span after, this replica's part of it."""
        store = self.store
        if not store.shared or store.settled(rate.span):
            return rate
        return Rate(part(rate.amount, store.replicas), rate.span)

    def _refusal(self, bill: Bill, now: float) -> Reject:
        """Return the reject of a request that limits refuse: of several the one with the longest wait."""
        requests, provider, estimate = bill.requests, bill.provider, bill.estimate
        longest, found = 0.0, None
        for each in bill.windows:
            if found is None or each.window.wait(estimate, now) > longest:
                longest, found = each.window.wait(estimate, now), each
        if found is None or (requests and requests.wait(1, now) > longest):
            assert requests
            return RateLimited(requests.refuse(1, now), 0.0, provider)
        wait, rate = found.window.refuse(estimate, now), found.window.rate
        return TokenLimited(found.whose, wait, amount=rate.amount, span=rate.span, provider=provider)

    def _check_budget(self, bill: Bill) -> bool:
        """Raise the reject if a budget is spent; return whether it seems so, and the store has to be asked."""
        caller = bill.caller
        if not (caller.terms and (budget := caller.terms.budget)):
            return False
        wall = self.wall_clock()
        store = self.store
        settled = store.settled()
        if store.shared:
            spent, taken = self.budgets.since_told(caller.name, budget.per, wall)
            left = budget_part(budget.tokens, spent, 1 if settled else store.replicas) - taken
        else:
            left = self.budgets.left(caller.name, budget, wall)
        if left > 0:
            return False
        # By the store's calendar another period may have begun.
        if store.shared and settled and not self.budgets.heard(caller.name, self.clock()):
            return True
        raise self.budget_reject(bill)

    def budget_reject(self, bill: Bill) -> Reject:
        """Return the reject of a request whose caller's budget is spent, or reserved by others."""
        caller = bill.caller
        assert caller.terms
        assert caller.terms.budget
        budget = caller.terms.budget
        spent = self.budgets.state(caller.name, budget, self.wall_clock())
        if spent.exhausted:
            return BudgetExhausted(budget.tokens, budget.per, date_of(spent.ends_at))
        return TokenLimited("budget", _BUDGET_WAIT)

    def told(self, bill: Bill, answer: Granted | Denied) -> None:
        """Note what the store says that all replicas have spent of a budget."""
        assert bill.budget
        self.budgets.told(bill.caller.name, bill.budget.per, answer.spent, self.wall_clock(), self.clock())

    def unreserve(self, bill: Bill) -> None:
        """Take back what a request has reserved of its caller's budget."""
        if bill.caller.terms and bill.caller.terms.budget:
            self.budgets.settle(bill.caller.name, bill.estimate, 0, self.wall_clock())

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
