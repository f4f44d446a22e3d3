"""The alert below the title: open breakers, rejects, silent and failing providers, most urgent first. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from aibridge_trio.printable import visible
from aibridge_trio.top.data.document import Breaker, Provider, Scope, fails, percent
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.screen import symptoms
from aibridge_trio.top.screen.text import (
    DIM,
    GREEN,
    PLAIN,
    RED,
    YELLOW,
    Cell,
    Line,
    fit,
    length,
    rate,
    remaining,
    span,
)
from aibridge_trio.top.view import Order

_QUESTIONS = {
    "open": "force open and refuse its requests?",
    "close": "force closed and let its requests pass?",
    "auto": "let the breaker decide again?",
}


# The status stream sends a document every second; without one for this long the bridge may hang (seconds).
_SILENCE = 2.5
# Lines of the alert at most; more would displace the tables that explain it.
_MOST = 2
# A width that no line reaches.
_UNBOUNDED = 10_000
# The longest name of a scope (cells).
_LONGEST_SCOPE = 30
# Reject reasons that the queue's own part of the alert covers.
_OF_QUEUE = ("queue_full", "queue_timeout", "queue_deadline")
# Causes named for each failing provider: the most that fit for all providers; its row has all. With 0 one cause is
# named without its rate: the status matters more than its frequency.
_CAUSES = (3, 1, 0)
# Reject reasons that the providers' errors cover, with their phase.
_OF_UPSTREAM = ("upstream_unreachable", "upstream_timeout")


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to the bridge; `lost` is what is wrong with it, "" if nothing is.

    `silence` is the time since the last document (seconds), None before the first.
    """

    url: str
    lost: str = ""
    silence: float | None = None

    @property
    def silent(self) -> bool:
        """Whether documents are overdue on a connection that is not lost."""
        return not self.lost and self.silence is not None and self.silence >= _SILENCE


def lines(picture: Picture | None, link: Link, now: float, width: int) -> list[Line]:
    """Return the alert in one or two lines, the most urgent part first."""
    if link.lost:
        last = "" if link.silence is None else f", last word {span(link.silence)} ago"
        return [[(f"NO BRIDGE: {visible(link.lost)}{last}; trying again", RED)]]
    if picture is None:
        return [[("connecting", DIM)]]
    calm = _shadow(picture, width)
    silent: list[Line] = [[(f"no word for {span(link.silence)}", f"bold {YELLOW}")]] if link.silent else []
    tries = [_packed([*silent, *_parts(picture, now, causes)], width) for causes in _CAUSES]
    best = min(tries, key=lambda packed: sum(max(0, length(line) - width) for line in packed))
    best = best or [[("all well", GREEN), (": no rejects", DIM)]]
    if not calm:
        return best
    # The shadow is always shown: an operator must not take it for protection.
    if length(best[-1]) + 2 + length(calm) > width:
        return [*best, calm]
    return [*best[:-1], [*best[-1], ("  ", PLAIN), *calm]]


def alerts(picture: Picture, link: Link, now: float) -> list[str]:
    """Return the parts of the alert as plain texts; none if all is well."""
    parts = _parts(picture, now, _CAUSES[0])
    shadow = _shadow(picture, _UNBOUNDED)
    silent = [f"no word for {span(link.silence)}"] if link.silent else []
    return [*silent, *("".join(text for text, _ in part).strip() for part in (*parts, *([shadow] * bool(shadow))))]


def _shadow(picture: Picture, width: int) -> Line:
    """The protections in shadow, by name if the width allows."""
    shadow = picture.document.shadow
    if not shadow:
        return []
    only = "only counts" if len(shadow) == 1 else "only count"
    named = f"shadow: {', '.join(shadow)} {only}"
    return [(named if cell_len(named) <= width else f"shadow: {len(shadow)} protections {only}", DIM)]


def _packed(parts: Sequence[Line], width: int) -> list[Line]:
    """Put each part into the first line that has space for it."""
    packed: list[Line] = []
    for part in parts:
        line = next((line for line in packed if length(line) + 2 + length(part) <= width), None)
        if line is None and len(packed) < _MOST:
            packed.append([*part])
        else:
            line = packed[-1] if line is None else line
            line += [("  ", PLAIN), *part]
    return packed


def _parts(picture: Picture, now: float, causes: int) -> list[Line]:
    age = max(0.0, now - picture.received)
    document = picture.document
    parts: list[Line] = []
    counts_only = "breaker" in document.shadow
    parts += [
        [part] for row in picture.providers for part in _open_breaker(row.provider, age, counts_only=counts_only)
    ]
    for row in picture.providers:
        parts += symptoms.holding(row.provider)
        parts += symptoms.unanswered(row, age)
    if not picture.since_start:
        parts += _refusing(picture)
    if document.draining:
        parts.append([("DRAINING", f"bold {YELLOW}")])
    parts += [*symptoms.without_store(picture), *symptoms.refused(picture)]
    if document.limit and document.in_flight >= document.limit:
        parts.append([("FULL", f"bold {YELLOW}"), (f" {document.in_flight} of {document.limit}", PLAIN)])
    queue_rejects = picture.queue.turned_away if document.queue.size and not picture.since_start else {}
    if queue_rejects:
        details = ", ".join(
            f"{how} {rate(each)}/s" for how, each in sorted(queue_rejects.items(), key=lambda each: -each[1])
        )
        parts.append([("queue turns away", f"bold {YELLOW}"), (f" {details}", PLAIN)])
    said = (*_OF_QUEUE,) * bool(queue_rejects) + _OF_UPSTREAM * any(row.errors for row in picture.providers)
    reasons = {reason: each for reason, each in picture.reasons.items() if reason not in said}
    rejects = sorted(((each, reason) for reason, each in reasons.items() if each), reverse=True)
    if rejects and picture.since_start:
        # Since the start, which may be days ago.
        parts.append([(f"turned away since start: {', '.join(reason for _, reason in rejects)}", DIM)])
    elif rejects:
        named = ", ".join(f"{reason} {rate(each)}/s" for each, reason in rejects)
        parts.append([("turned away", f"bold {YELLOW}"), (f" {named}", PLAIN)])
    parts += symptoms.starved(picture)
    parts += symptoms.given_up(picture)
    parts += _failing(picture, causes)
    if picture.since_start:
        parts += _refusing(picture)
    for row in picture.providers:
        parts += _recovering(row.provider)
    # A breaker that is forced closed protects nothing.
    parts += [
        [(f"{row.provider.name} forced closed", YELLOW)]
        for row in picture.providers
        if _state(row.provider) == "closed" and row.provider.breaker.mode == "close"
    ]
    return parts


def _refusing(picture: Picture) -> list[Line]:
    since_start = picture.since_start
    return [line for row in picture.providers for line in symptoms.refusing(row, since_start=since_start)]


def _failing(picture: Picture, causes: int) -> list[Line]:
    """Providers that fail but are in service: no breaker, below its threshold, or failures it doesn't count."""
    # With breakers by scope some may be closed.
    answering = [
        row for row in picture.providers if _state(row.provider) != "open" or row.provider.breaker.deciding
    ]
    if picture.since_start:
        failed = ", ".join(row.provider.name for row in answering if row.failures)
        return [[(f"errors since start: {failed}", DIM)]] if failed else []
    return [_failing_provider(row, causes) for row in answering if row.failures or _counting(row.provider)]


def _failing_provider(row: ProviderRates, causes: int) -> Line:
    breaker, failures = row.provider.breaker, row.failures
    details = [f"{what} {rate(each)}/s" for what, each in failures.items()][:causes]
    details = details if causes else list(failures)[:1]
    details += ["…"] if 0 < causes < len(failures) else []
    how_far = fails(breaker.failures, breaker.threshold, breaker.failure_share, breaker.needed_share)
    details += [f"FAILS {how_far}"] if _counting(row.provider) else []
    share = f" {math.floor(100 * row.share) or '<1'}% errors" if failures else ""
    colon = ":" if share and details else ""
    return [(f"{row.provider.name}{share}", f"bold {YELLOW}"), (f"{colon} {', '.join(details)}".rstrip(), PLAIN)]


def _counting(provider: Provider) -> bool:
    """Whether its breaker has failures in its window."""
    return _state(provider) == "closed" and provider.breaker.mode == "auto" and provider.breaker.failures > 0


def question(order: Order) -> str:
    """Return the question that confirms an order."""
    where = f" at all {order.replicas} replicas" if order.replicas > 1 else ""
    return f"{order.provider}{where}: {_QUESTIONS[order.mode]}"


def _state(provider: Provider) -> str:
    return provider.breaker.state if provider.breaker.enabled else ""


def _open_breaker(provider: Provider, age: float, *, counts_only: bool) -> list[Cell]:
    breaker = provider.breaker
    scopes = [each for each in breaker.deciding if each.state == "open"]
    if not scopes and _state(provider) != "open":
        return []
    first = min(scopes, key=lambda each: math.inf if each.left is None else each.left) if scopes else breaker
    because = symptoms.reason(first.because)
    why = f", {because}" if because else ""
    if first.left is None:
        return [(f"{_named(provider, scopes)} {f'OPEN{why}' if scopes else forced(breaker, age)}", RED)]
    again = ""
    if first.in_a_row > 1 and first.cooldown is not None:
        again = f" of {span(math.ceil(first.cooldown))}, {first.in_a_row} in a row"
    said = f"OPEN, {remaining(first.left, age, first.cooldown)} left{again}{why}"
    # In shadow it rejects nothing, unless forced open.
    name = _named(provider, scopes)
    return [(f"{name} would be {said}", YELLOW) if counts_only else (f"{name} {said}", RED)]


def forced(breaker: Breaker, age: float = 0.0) -> str:
    """Return how an operator has forced a breaker: until when, why, from where."""
    override = breaker.override
    said = f"FORCED {breaker.state.upper()}"
    if override is None:
        return said
    left = "" if override.left is None else f", {remaining(override.left, age)} left"
    reason = f", {fit(override.reason, min(cell_len(override.reason), _LONGEST_SCOPE))}" if override.reason else ""
    by = f" ({override.by})" if override.by else ""
    return f"{said}{left}{reason}{by}"


def _recovering(provider: Provider) -> list[Line]:
    """Its half-open and ramping breakers, and resting keys."""
    breaker, parts = provider.breaker, list[Line]()
    probed = [each for each in breaker.deciding if each.state == "half-open"]
    if probed or _state(provider) == "half-open":
        parts.append([(f"{_named(provider, probed)} is being probed", YELLOW)])
    ramping = [each for each in breaker.deciding if each.ramping]
    if ramping or breaker.ramping:
        share = min((each.share for each in ramping), default=breaker.share)
        parts.append([(f"{_named(provider, ramping)} coming back, {percent(share)} admitted", YELLOW)])
    if breaker.keys and breaker.keys.now:
        parts.append([(f"{provider.name}: {breaker.keys.words}", PLAIN)])
    return parts


def _named(provider: Provider, scopes: Sequence[Scope]) -> str:
    """The provider's name, with the first scope if its breakers are by scope."""
    if not scopes:
        return provider.name
    name = scopes[0].name
    more = f" and {len(scopes) - 1} more" if len(scopes) > 1 else ""
    return f"{provider.name} {fit(name, min(cell_len(name), _LONGEST_SCOPE))}{more}"
