"""What limits on tokens and budgets have counted: a part of the status document, and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aibridge_trio.config.known_callers import NO_CLASS, KnownCallers
from aibridge_trio.core.limits.usage_window import UsageWindow, Use
from aibridge_trio.gateway.spending import Spending
from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.telemetry.families import gauge

# Callers in the document: those that use the most.
_SHOWN = 20
# Of a budget: little is left from here on.
_NEARLY = 0.9
_BUDGET_STATES = ("left", "nearly_spent", "spent")
_LABELS = ("scope", "owner", "unit")


class UsageReport:
    """Reads what `spending` has counted. Metrics have names of classes and providers, never of callers."""

    def __init__(self, spending: Spending | None = None) -> None:
        self._spending = spending or Spending(KnownCallers(), (), lambda: 0.0, lambda: 0.0)

    def document(self) -> dict[str, Any]:
        """Return the part of the status document."""
        callers = sorted(map(self._caller, self._spending.latest.values()), key=_used, reverse=True)
        now = self._spending.clock()
        return {
            "callers": callers[:_SHOWN],
            "limits": [
                {"scope": scope, "name": name, "unit": unit, **_window(window.use(now), window.rate.span)}
                for scope, name, unit, window in self._windows()
            ],
        }

    def families(self) -> Iterator[Family]:
        """Yield the families of the limits."""
        now = self._spending.clock()
        limits: dict[tuple[str, ...], float] = {}
        counted: dict[tuple[str, ...], float] = {}
        for scope, name, unit, window in self._windows():
            use = window.use(now)
            limits[scope, name, unit] = use.amount
            counted[scope, name, unit] = use.settled + use.running
        yield Family("gauge", "usage_limit", "Limits of tokens or requests in their span.", _LABELS, limits)
        yield Family("gauge", "usage_counted", "What counts of a limit now, estimates included.", _LABELS, counted)
        yield from self._budgets()

    def _budgets(self) -> Iterator[Family]:
        spending = self._spending
        spent = dict.fromkeys(spending.class_budgets, 0)
        callers = {(name, state): 0 for name in spending.class_names for state in _BUDGET_STATES}
        for caller in spending.latest.values():
            if found := spending.budget_of(caller):
                name = caller.class_name or NO_CLASS
                spent[name, found.budget.per] = spent.get((name, found.budget.per), 0) + found.spent
                nearly = found.spent >= _NEARLY * found.budget.tokens
                state = "spent" if found.exhausted else "nearly_spent" if nearly else "left"
                callers[name, state] = callers.get((name, state), 0) + 1
        of_class = ("class", "per")
        yield gauge("budget_tokens", "Budgets of all callers of a class.", of_class, spending.class_budgets)
        yield gauge("budget_spent_tokens", "What callers have spent of these budgets.", of_class, spent)
        yield gauge("budget_callers", "Callers by what is left of their budget.", ("class", "state"), callers)

    def _windows(self) -> Iterator[tuple[str, str, str, UsageWindow]]:
        for name, window in self._spending.classes.items():
            yield "class", name, "tokens", window
        for name, limits in self._spending.providers.items():
            for unit, each in (("tokens", limits.tokens), ("requests", limits.requests)):
                if each:
                    yield "provider", name, unit, each

    def _caller(self, caller: Any) -> dict[str, Any]:
        use, spent, terms = self._spending.use_of(caller), self._spending.budget_of(caller), caller.terms
        budget = spent and {
            "tokens": spent.budget.tokens,
            "per": spent.budget.per,
            "spent": spent.spent,
            "running": spent.running,
            "ends_at": spent.ends_at,
        }
        limit = use and _window(use, terms.token_rate.span)
        return {"name": caller.hint, "class": caller.class_name or None, "tokens": limit, "budget": budget}

    def __repr__(self) -> str:
        return f"<UsageReport {self._spending!r}>"


def _window(use: Use, span: float) -> dict[str, Any]:
    return {"limit": use.amount, "span_s": span, "settled": use.settled, "running": use.running}


def _used(caller: dict[str, Any]) -> tuple[float, float]:
    tokens, budget = caller["tokens"], caller["budget"]
    used = (tokens["settled"] + tokens["running"]) / max(1, tokens["limit"]) if tokens else 0.0
    return used, budget["spent"] / max(1, budget["tokens"]) if budget else 0.0
