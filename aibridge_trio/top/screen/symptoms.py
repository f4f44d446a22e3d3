"""Symptoms besides open breakers, each as a part of the alert: silent or refusing providers, connections. Pure.

The bridge has no state for them. They are derived from the requests and connections of the displayed interval, so
they appear and disappear within seconds.
"""

from __future__ import annotations

import math

from rich.cells import cell_len

from aibridge_trio.core.adaptive import words
from aibridge_trio.top.data.document import Connections, Provider
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.screen.text import DIM, PLAIN, YELLOW, Line, fit, rate, span

# A provider is silent when several requests, or a single one, have no answer for so long (seconds). One reasoning
# model may take longer than the former; several at once rarely do.
_SEVERAL, _ALONE = 5.0, 30.0
# From this share of the answers on, a status points at the provider, its key or its URL, not at single callers.
_REFUSALS = 0.1
# Shares of requests from which a caller is starved (rejected), and from which callers give up (499).
_MOST, _GIVEN_UP = 0.5, 0.2
# The longest address or hint (cells).
_LONGEST_NAME = 30
_STRONG = f"bold {YELLOW}"
# Texts for causes of refused connections.
_CAUSES = {"limit": "at the limit", "address": "too many of one address", "descriptors": "out of descriptors"}


def unanswered(row: ProviderRates, age: float) -> list[Line]:
    """Return a part if a provider is silent; the document is `age` seconds old."""
    provider = row.provider
    if provider.unanswered_for is None or not provider.unanswered:
        return []
    silent = provider.unanswered_for + age
    if silent < (_SEVERAL if provider.unanswered > 1 else _ALONE):
        return []
    return [[(f"{provider.name}: {provider.unanswered} in flight, no answer for {_long(silent)}", _STRONG)]]


def holding(provider: Provider) -> list[Line]:
    """Return a part if requests are held for a provider, or it answers none."""
    stats = provider.adaptive
    if stats is None or not (stats.held or stats.governor.outage):
        return []
    outage = "outage" if stats.governor.outage else ""
    return [[(f"{provider.name}: {', '.join(filter(None, (outage, words.line(stats))))}", _STRONG)]]


def refusing(row: ProviderRates, *, since_start: bool) -> list[Line]:
    """Return a part with the statuses by which a provider refuses requests, and their shares of all answers."""
    shares = {status: share for status, share in row.refusals.items() if share >= _REFUSALS}
    if not shares:
        return []
    parts = [f"{math.floor(100 * share)} % answers {status}" for status, share in shares.items()]
    said = ", ".join([*parts[:1], *(part.replace("answers ", "") for part in parts[1:])])
    if since_start:
        return [[(f"{row.provider.name}: {said} since start", DIM)]]
    return [[(f"{row.provider.name}: {said}", _STRONG)]]


def refused(picture: Picture) -> list[Line]:
    """Return parts on refused connections: their causes, and the address with the most connections."""
    document, lines = picture.document, list[Line]()
    for whose, connections, rates in (
        ("connections", document.callers_connections, picture.refused),
        ("admin connections", document.admin_connections, picture.admin_refused),
    ):
        now = {cause: each for cause, each in rates.items() if each}
        if now and picture.since_start:
            lines.append([(f"{whose} refused since start: {', '.join(now)}", DIM)])
        elif now:
            causes = sorted(now, key=lambda cause: -now[cause])
            named = ", ".join(f"{_CAUSES.get(cause, cause)} {rate(now[cause])}/s" for cause in causes)
            lines.append([(f"{whose} refused", _STRONG), (f" {named}{_busiest(connections)}", PLAIN)])
        elif connections.max and connections.open >= connections.max:
            whole = f" {connections.open} of {connections.max}{_busiest(connections)}"
            lines.append([(f"{whose.upper()} FULL", _STRONG), (whole, PLAIN)])
    return lines


def without_store(picture: Picture) -> list[Line]:
    """Return a part if the store that replicas share is away."""
    store = picture.document.store
    if store is None or not store.degraded:
        return []
    return [[("DEGRADED", _STRONG), (f" without the store ({_cut(store.condition)})", PLAIN)]]


def given_up(picture: Picture) -> list[Line]:
    """Return a part if many callers hang up before their answer."""
    share = picture.left / picture.requests if picture.requests else 0.0
    if picture.since_start or share < _GIVEN_UP:
        return []
    return [[("callers give up", _STRONG), (f" {rate(picture.left)}/s without an answer (499)", PLAIN)]]


def starved(picture: Picture) -> list[Line]:
    """Return a part on a caller with more rejects than answers."""
    if picture.since_start or picture.starved is None or picture.starved[1] < _MOST:
        return []
    hint, share = picture.starved
    return [[(f"{_cut(hint)} has {math.floor(100 * share)}% of its requests turned away", PLAIN)]]


def reason(because: str) -> str:
    """Shorten the reason of a breaker's state: `last 503`, `probe failed: 503`."""
    said = because.partition(";")[0]
    _, last, cause = said.rpartition("last ")
    if last:
        return f"last {_cut(cause)}"
    _, failed, cause = said.partition("a probe failed: ")
    return f"probe failed: {_cut(cause)}" if failed else ""


def _long(seconds: float) -> str:
    """`14 s`, as a sentence has it; from a minute on `1m05s`."""
    minute = 60
    return f"{int(seconds)} s" if seconds < minute else span(seconds)


def _busiest(connections: Connections) -> str:
    if connections.busiest is None or not connections.busiest[1]:
        return ""
    address, many = connections.busiest
    return f", {_cut(address)} has {many}"


def _cut(text: str) -> str:
    return fit(text, min(cell_len(text), _LONGEST_NAME))
