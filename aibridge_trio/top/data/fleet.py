"""Several replicas as one: sums, merged providers, and what differs between them. Pure.

Sums are over the replicas that answer. Percentiles are made of the sums of their histograms, never of percentiles;
without the same bounds everywhere there are none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from aibridge_trio.printable import a_few
from aibridge_trio.top.data.document import Document, Event
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates, quantile

# Silence of a replica that answers, from which on its row tells it (seconds).
_SILENCE = 2.5
# The rank of a replica with which all is well.
_WELL = 8


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica by its `name`; `cause` is why it does not answer, "" if it does.

    `picture` is its latest one, None before the first; `silence` is the time since then (seconds). `twin` is the
    name of one before it that is the same process, reached in another way.
    """

    name: str
    picture: Picture | None = None
    cause: str = ""
    silence: float | None = None
    twin: str = ""

    @property
    def here(self) -> bool:
        """Whether it answers, and counts in the sums."""
        return self.picture is not None and not self.cause and not self.twin

    @property
    def silent(self) -> bool:
        """Whether documents are overdue on a connection that is not lost."""
        return not self.cause and self.silence is not None and self.silence >= _SILENCE


def without_twins(replicas: Iterable[Replica]) -> list[Replica]:
    """Return the replicas, each that is the same process as one before it marked: it counts once."""
    found: list[Replica] = []
    names: dict[float, str] = {}
    for each in replicas:
        began = each.picture.document.started_at if each.picture and not each.cause else 0.0
        twin = names.setdefault(began, each.name) if began else each.name
        found.append(each if twin == each.name else replace(each, twin=twin))
    return found


def worst_first(replicas: Sequence[Replica]) -> list[Replica]:
    """Return the replicas that need attention before the others; equal ones keep their order."""
    odd = {name for each in differences(replicas) for name in each.names}
    return sorted(replicas, key=lambda each: _rank(each, odd))


def _rank(replica: Replica, odd: Container[str]) -> int:
    """The rank of a replica's state: lost, not there yet, silent, degraded, draining, breakers, differs, well."""
    picture = replica.picture
    if replica.twin:
        return _WELL + 1
    if replica.cause or picture is None:
        return 0 if replica.cause else 1
    breakers = [row.provider.breaker for row in picture.providers if row.provider.breaker.enabled]
    store = picture.document.store
    signs = (
        replica.silent,
        store is not None and store.degraded,
        picture.document.draining,
        any(each.state == "open" for each in breakers),
        any(each.word != "closed" for each in breakers),
        replica.name in odd,
    )
    return next((rank for rank, there in enumerate(signs, 2) if there), _WELL)


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


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same at all replicas: the most frequent value, and the others with the replicas' names.

    `of_state` is what changes while they run, not how they are configured.
    """

    what: str
    usual: str
    others: Mapping[str, Sequence[str]]
    of_state: bool = False

    @property
    def names(self) -> list[str]:
        """The replicas that differ from the most."""
        return [name for names in self.others.values() for name in names]

    @property
    def words(self) -> str:
        """`version 0.2.0, but 0.1.0 at 10.0.0.7:4002`, with a few names for each value."""
        others = "; ".join(f"{value} at {a_few(names)}" for value, names in self.others.items())
        return f"{self.what} {self.usual}, but {others}"


def differences(replicas: Sequence[Replica]) -> list[Difference]:
    """Return what differs between the replicas that answer: versions, limits, breakers, and where."""
    found = [(each.name, each.picture.document) for each in replicas if each.here and each.picture]
    providers = dict.fromkeys(provider.name for _, document in found for provider in document.providers)
    compared: list[tuple[str, Callable[[Document], str], bool]] = [
        *((what, pick, False) for what, pick in _CONFIGURED),
        ("store", _store, True),
        *((f"{each} breaker", partial(_breaker, provider=each), True) for each in providers),
    ]
    every = (
        _difference(what, [(name, pick(document)) for name, document in found], of_state=of_state)
        for what, pick, of_state in compared
    )
    return [each for each in every if each.others]


def _difference(what: str, values: Sequence[tuple[str, str]], *, of_state: bool) -> Difference:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in values:
        names[value].append(name)
    usual, *others = sorted(names, key=lambda value: -len(names[value])) or [""]
    return Difference(what, usual, {value: names[value] for value in others}, of_state)


def _breaker(document: Document, provider: str) -> str:
    found = next((each.breaker.word for each in document.providers if each.name == provider), None)
    return found or "missing"


def _limit(limit: float) -> str:
    return f"{limit:g}" if limit else "none"


def _store(document: Document) -> str:
    return document.store.condition if document.store else "unknown"


_CONFIGURED: tuple[tuple[str, Callable[[Document], str]], ...] = (
    ("version", lambda each: each.version),
    ("requests in flight at most", lambda each: _limit(each.limit)),
    ("a caller's at most", lambda each: _limit(each.per_caller)),
    ("a provider's at most", lambda each: _limit(each.per_provider)),
    ("rate limit", lambda each: _limit(each.rate_limit)),
    ("queue size", lambda each: _limit(each.queue.size)),
    ("shadow", lambda each: ", ".join(each.shadow) or "none"),
)


def events(replicas: Sequence[Replica], most: int = 20) -> list[tuple[str, Event]]:
    """Return the latest events of all, the newest first, each with its replica's name."""
    known = [each for each in replicas if each.picture and not each.twin]
    every = [(each.name, event) for each in known if each.picture for event in each.picture.document.events]
    return sorted(every, key=lambda each: each[1].at, reverse=True)[:most]


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
