"""The order of the dashboard's providers: a sort key for each column, and the default, by urgency."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aibridge_trio.top.data.document import Breaker, Scope
from aibridge_trio.top.data.rates import ProviderRates

# Breakers' states, the most urgent first: out of service, half-open, ramping, closed, without a breaker.
_URGENCY = {"open": 0, "half-open": 1, "closed": 3}
_RAMPING, _LEAST_URGENT = 2, 4

# By the titles of the columns: the value that rows are sorted by, None where there is none.
SORT_KEYS: dict[str, Callable[[ProviderRates], Any]] = {
    "PROVIDER": lambda row: row.provider.name,
    "STATE": lambda row: -urgency(row.provider.breaker),
    "FOR": lambda row: row.provider.breaker.since,
    "LEFT": lambda row: row.provider.breaker.left,
    "FAILS": lambda row: _if_enabled(row, row.provider.breaker.failures),
    "PROBE": lambda row: row.provider.breaker.probes if row.provider.breaker.state == "half-open" else None,
    "TRIPS": lambda row: _if_enabled(row, row.provider.breaker.trips),
    "REJECTS": lambda row: _if_enabled(row, row.provider.breaker.rejects),
    "P50": lambda row: row.p50,
    "P99": lambda row: row.p99,
    "TOK/S": lambda row: (row.tokens_in or 0.0) + (row.tokens_out or 0.0),
    "IN/S": lambda row: row.tokens_in,
    "OUT/S": lambda row: row.tokens_out,
    "REJ/S": lambda row: row.rejects,
}
DEFAULT_SORT = "STATE"


def urgency(breaker: Breaker | Scope) -> int:
    """Return the rank of a breaker's state, 0 for the most urgent."""
    if isinstance(breaker, Breaker) and not breaker.enabled:
        return _LEAST_URGENT
    return _RAMPING if breaker.ramping else _URGENCY.get(breaker.state, _LEAST_URGENT)


def sorted_rows(rows: Iterable[ProviderRates], column: str, *, reverse: bool) -> list[ProviderRates]:
    """Sort by a column; rows without a value come last, equal ones keep their order."""
    value, found = SORT_KEYS[column], list(rows)
    known = [row for row in found if value(row) is not None]
    unknown = [row for row in found if value(row) is None]
    return sorted(known, key=value, reverse=_descending(column, reverse=reverse)) + unknown


def direction(column: str, *, reverse: bool) -> str:
    """Return the sign of a column's order: descending or ascending."""
    return "▼" if _descending(column, reverse=reverse) else "▲"


def _descending(column: str, *, reverse: bool) -> bool:
    """Numbers are sorted from the largest, names from A, unless reversed."""
    return (column != "PROVIDER") != reverse


def _if_enabled(row: ProviderRates, count: int) -> int | None:
    """A breaker's counter, None without a breaker."""
    return count if row.provider.breaker.enabled else None
