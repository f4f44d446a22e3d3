"""What keeps callers from answers and is no breaker's doing: each symptom as a part of the headline. Pure.

Nothing here is a state that the bridge knows of itself. It is read off what became of requests and connections
within the displayed interval, so it shows within seconds, and is over as soon.
"""

from __future__ import annotations

import math

from rich.cells import cell_len

from aibridge_trio.top.data.document import Connections
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.screen.text import DIM, PLAIN, YELLOW, Line, fit, rate, span

# So long may several requests be without an answer, and a single one, before that is strange (seconds). A model
# that thinks answers nothing for longer than the former; several of them at once rarely do.
_SEVERAL, _ALONE = 5.0, 30.0
# From this share of its answers on, a status says something of the provider, of its key or of its URL, and not of
# a caller that makes mistakes now and then.
_REFUSALS = 0.1
# From this share of its requests on, a caller is kept from its answers; and callers give up.
_MOST, _GIVEN_UP = 0.5, 0.2
# The longest address or hint, in cells.
_LONGEST_NAME = 30
_STRONG = f"bold {YELLOW}"
# What is written of a cause for which connections were refused.
_CAUSES = {"limit": "at the limit", "address": "too many of one address", "descriptors": "out of descriptors"}


def unanswered(row: ProviderRates, age: float) -> list[Line]:
    """Return that a provider is silent; the document is `age` seconds old."""
    provider = row.provider
    if provider.unanswered_for is None or not provider.unanswered:
        return []
    silent = provider.unanswered_for + age
    if silent < (_SEVERAL if provider.unanswered > 1 else _ALONE):
        return []
    return [[(f"{provider.name}: {provider.unanswered} in flight, no answer for {_long(silent)}", _STRONG)]]


def refusing(row: ProviderRates, *, since_start: bool) -> list[Line]:
    """Return by which statuses a provider refuses what it is asked, each with its share of all answers."""
    shares = {status: share for status, share in row.refusals.items() if share >= _REFUSALS}
    if not shares:
        return []
    parts = [f"{math.floor(100 * share)} % answers {status}" for status, share in shares.items()]
    said = ", ".join([*parts[:1], *(part.replace("answers ", "") for part in parts[1:])])
    if since_start:
        return [[(f"{row.provider.name}: {said} since start", DIM)]]
    return [[(f"{row.provider.name}: {said}", _STRONG)]]


def refused(picture: Picture) -> list[Line]:
    """Return that connections were refused, for which causes, and which address has the most."""
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
            told = ", ".join(f"{_CAUSES.get(cause, cause)} {rate(now[cause])}/s" for cause in causes)
            lines.append([(f"{whose} refused", _STRONG), (f" {told}{_busiest(connections)}", PLAIN)])
        elif connections.max and connections.open >= connections.max:
            whole = f" {connections.open} of {connections.max}{_busiest(connections)}"
            lines.append([(f"{whose.upper()} FULL", _STRONG), (whole, PLAIN)])
    return lines


def given_up(picture: Picture) -> list[Line]:
    """Return that callers hang up before they have an answer."""
    share = picture.left / picture.requests if picture.requests else 0.0
    if picture.since_start or share < _GIVEN_UP:
        return []
    return [[("callers give up", _STRONG), (f" {rate(picture.left)}/s without an answer (499)", PLAIN)]]


def starved(picture: Picture) -> list[Line]:
    """Return which caller gets more rejects than answers."""
    if picture.since_start or picture.starved is None or picture.starved[1] < _MOST:
        return []
    hint, share = picture.starved
    return [[(f"{_cut(hint)} has {math.floor(100 * share)}% of its requests turned away", PLAIN)]]


def reason(because: str) -> str:
    """Return what of a breaker's reason finds room behind its name: `last 503`, `probe: 503`."""
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
