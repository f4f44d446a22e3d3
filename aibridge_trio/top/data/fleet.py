"""Several replicas as one: sums, merged providers, and what differs between them. Pure.

Sums are over the replicas that answer. Percentiles are made of the sums of their histograms, never of percentiles;
without the same bounds everywhere there are none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aibridge_trio.top.data.document import Document, Event
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates, quantile


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica by its `name`; `cause` is why it does not answer, "" if it does.

    `picture` is its latest one, None before the first; `silence` is the time since then (seconds).
    """

    name: str
    picture: Picture | None = None
    cause: str = ""
    silence: float | None = None

    @property
    def here(self) -> bool:
        """Whether it answers, and counts in the sums."""
        return self.picture is not None and not self.cause


@dataclass(frozen=True, slots=True)
class FleetProvider:
    """A provider over all replicas; rates are per second, None where there was nothing to measure.

    `breakers` counts them by word, the most frequent first.
    """

    name: str
    breakers: Mapping[str, int]
    in_flight: int
    responses: float | None
    failures: Mapping[str, float]
    rejects: float | None
    tokens: float | None
    p50: float | None
    p99: float | None


def total(pictures: Iterable[Picture], pick: Callable[[Picture], float | None]) -> float | None:
    """Return the sum of what is known; None if nothing is."""
    known = [value for picture in pictures if (value := pick(picture)) is not None]
    return sum(known) if known else None


def reasons(pictures: Iterable[Picture]) -> dict[str, float]:
    """Return rates of rejects by reason, summed, the most frequent first."""
    sums: Counter[str] = Counter()
    for picture in pictures:
        if not picture.since_start:
            sums.update({reason: each for reason, each in picture.reasons.items() if each})
    return dict(sums.most_common())


def providers(pictures: Sequence[Picture]) -> list[FleetProvider]:
    """Return each provider that a replica has, in the order in which they come."""
    rows: defaultdict[str, list[ProviderRates]] = defaultdict(list)
    for picture in pictures:
        for row in picture.providers:
            rows[row.provider.name].append(row)
    return [_merged(name, found) for name, found in rows.items()]


def _merged(name: str, rows: Sequence[ProviderRates]) -> FleetProvider:
    failures: Counter[str] = Counter()
    for row in rows:
        failures.update(row.failures)
    histogram: Counter[float] = Counter()
    for row in rows:
        histogram.update(row.first_bytes)
    same = len({tuple(sorted(row.first_bytes)) for row in rows}) == 1
    tokens = [_sum([row.tokens_in, row.tokens_out]) for row in rows]
    return FleetProvider(
        name=name,
        breakers=dict(Counter(row.provider.breaker.word for row in rows).most_common()),
        in_flight=sum(row.provider.in_flight for row in rows),
        responses=_sum([row.responses for row in rows]),
        failures=dict(failures.most_common()),
        rejects=_sum([row.rejects for row in rows]),
        tokens=_sum(tokens),
        p50=quantile(0.5, histogram) if same else None,
        p99=quantile(0.99, histogram) if same else None,
    )


def differences(replicas: Sequence[Replica]) -> list[str]:
    """Return what differs between the replicas that answer: versions, limits, breakers, and where.

    `version 0.2.0, but 0.1.0 at 10.0.0.7:4002`: the most frequent value comes first.
    """
    found = [(each.name, each.picture.document) for each in replicas if each.here and each.picture]
    lines: list[str] = []
    for what, pick in _COMPARED:
        _add_difference(lines, what, [(name, pick(document)) for name, document in found])
    names = dict.fromkeys(provider.name for _, document in found for provider in document.providers)
    for provider in names:
        states = [(name, _breaker(document, provider)) for name, document in found]
        _add_difference(lines, f"{provider} breaker", states)
    return lines


def _add_difference(lines: list[str], what: str, values: Sequence[tuple[str, str]]) -> None:
    counts = Counter(value for _, value in values)
    if len(counts) < 2:  # noqa: PLR2004 - one value is no difference
        return
    [(usual, _), *others] = counts.most_common()
    shown = [f"{value} at {', '.join(name for name, its in values if its == value)}" for value, _ in others]
    lines.append(f"{what} {usual}, but {'; '.join(shown)}")


def _breaker(document: Document, provider: str) -> str:
    found = next((each.breaker.word for each in document.providers if each.name == provider), None)
    return found or "missing"


def _limit(limit: float) -> str:
    return f"{limit:g}" if limit else "none"


_COMPARED: tuple[tuple[str, Callable[[Document], str]], ...] = (
    ("version", lambda each: each.version),
    ("requests in flight at most", lambda each: _limit(each.limit)),
    ("a caller's at most", lambda each: _limit(each.per_caller)),
    ("a provider's at most", lambda each: _limit(each.per_provider)),
    ("rate limit", lambda each: _limit(each.rate_limit)),
    ("queue size", lambda each: _limit(each.queue.size)),
    ("shadow", lambda each: ", ".join(each.shadow) or "none"),
    ("store", lambda each: each.store.condition if each.store else "unknown"),
)


def events(replicas: Sequence[Replica], most: int = 20) -> list[tuple[str, Event]]:
    """Return the latest events of all, the newest first, each with its replica's name."""
    every = [(each.name, event) for each in replicas if each.picture for event in each.picture.document.events]
    return sorted(every, key=lambda each: each[1].at, reverse=True)[:most]


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
