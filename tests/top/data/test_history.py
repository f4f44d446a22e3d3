"""Rates, percentiles and the last minutes, against what is counted from scratch."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.telemetry import status as status_room
from aibridge_trio.top.data import history as history_room
from aibridge_trio.top.data.document import Breaker, Caller, Document, Event, Provider
from aibridge_trio.top.data.history import TRACE, History, Picture, Span, levels
from aibridge_trio.top.data.rates import quantile

INF = math.inf
CLOSED = Breaker(
    enabled=True,
    state="closed",
    mode="auto",
    since=0.0,
    left=None,
    failures=0,
    threshold=5,
    probes=0,
    max_probes=3,
    trips=0,
    rejects=0,
    verdicts={},
)


def a_provider(requests: int) -> Provider:
    """A provider, all of whose counters follow from one number."""
    return Provider(
        name="openai",
        in_flight=0,
        breaker=replace(CLOSED, rejects=requests // 5),
        responses={"200": requests - requests // 7, "429": requests // 7},
        errors={},
        first_bytes={0.1: requests // 2, 1.0: requests - requests // 10, INF: requests},
        tokens={"input": 3 * requests, "output": 2 * requests},
    )


def said(uptime: float, requests: int = 0, rejects: int = 0, *, started_at: float = 1000.0) -> Document:
    """What a bridge of one provider says; a third of the rejects is for the rate."""
    return Document(
        version="0.2.0",
        now=started_at + uptime,
        started_at=started_at,
        uptime=uptime,
        draining=False,
        limit=0,
        in_flight=0,
        rate_limit=0,
        active_callers=0,
        requests=requests,
        rejects={"capacity": rejects - rejects // 3, "rate_limit": rejects // 3},
        providers=(a_provider(requests),),
        callers=(),
        events=(),
    )


def watched(*documents: Document) -> History:
    """A history of documents that came when the bridge's own clock says."""
    history = History()
    for document in documents:
        history.add(document, document.uptime)
    return history


def pictured(history: History, interval: float = 10.0) -> Picture:
    """The picture, where there is one."""
    picture = history.picture(interval)
    assert picture is not None
    return picture


# Any stream of documents


@dataclass(frozen=True)
class Step:
    """What happens until the next document: time, requests and rejects, its delay, and perhaps a new process."""

    after: float
    requests: int
    rejects: int
    delay: float
    # At which part of the time a new process takes the old one's place.
    restart: float | None


STEPS = st.lists(
    st.builds(
        Step,
        # Transitions come at once, documents every second, and a connection may be lost for a minute.
        after=st.sampled_from([0.0, 0.001, 0.004, 0.3, 1.0, 1.0, 1.0, 1.0, 2.0, 20.0]),
        requests=st.integers(0, 30),
        rejects=st.integers(0, 9),
        delay=st.sampled_from([0.0, 0.0, 0.02, 0.4]),
        restart=st.sampled_from([None, None, None, None, None, 0.0, 0.5, 0.9]),
    ),
    min_size=1,
    max_size=60,
)


class World:
    """Bridges one after the other, all their documents, and what really happened."""

    def __init__(self, *, tells_start: bool) -> None:
        self.history = History()
        self.tells_start = tells_start
        self.time = 5000.0
        self.began = 4990.0
        self.at = self.time
        # The documents of the process that lives, and what was seen of all processes since the first document.
        self.documents = [self.document(100, 10)]
        self.requests = self.rejects = 0
        self.history.add(self.documents[0], self.at)

    def document(self, requests: int, rejects: int) -> Document:
        """What the process that lives says now."""
        started_at = self.began if self.tells_start else 0.0
        return said(round(self.time - self.began, 3), requests, rejects, started_at=started_at)

    def go(self, step: Step) -> None:
        """Let time pass until the next document has come."""
        last, began = self.documents[-1], self.time
        self.time = round(self.time + step.after, 3)
        # One comes after the other, if only by so much.
        self.at = max(self.at + 1e-6, self.time + step.delay)
        # No bridge is gone and back within milliseconds.
        if step.restart is not None and step.after >= 0.3:
            self.began = round(began + step.restart * step.after, 3)
            document = self.document(step.requests, step.rejects)
            # An older bridge that has run for longer, and done more, than the one before is not told apart.
            if self.tells_start or document.uptime < last.uptime or step.requests < last.requests:
                self.documents = [document]
                self.history.add(document, self.at)
                self.requests += step.requests
                self.rejects += step.rejects
                return
            self.began = self.time - last.uptime - step.after
        document = self.document(last.requests + step.requests, sum(last.rejects.values()) + step.rejects)
        self.documents.append(document)
        self.history.add(document, self.at)
        self.requests += step.requests
        self.rejects += step.rejects


def played(steps: list[Step], *, tells_start: bool) -> World:
    """A world in which all this has happened."""
    world = World(tells_start=tells_start)
    for step in steps:
        world.go(step)
    return world


INTERVALS = st.sampled_from([1.0, 3.0, 10.0, 60.0])


def baseline(documents: list[Document], interval: float) -> Document | None:
    """What is compared with: of those old enough the newest, else the oldest, but nothing under a second."""
    ages = [documents[-1].uptime - each.uptime for each in documents]
    old = [place for place, age in enumerate(ages) if age >= 0.9]
    enough = [place for place in old if ages[place] >= interval * 0.95]
    if enough:
        return documents[min(reversed(enough), key=ages.__getitem__)]
    return documents[max(old, key=ages.__getitem__)] if old else None


@given(STEPS, INTERVALS, st.booleans())
def test_rates_are_differences_of_counters_over_the_time_between(
    steps: list[Step], interval: float, tells_start: bool
) -> None:
    """Every rate is what one process counted between two of its documents, over the time that lies between."""
    world = played(steps, tells_start=tells_start)
    picture = pictured(world.history, interval)
    new, old = world.documents[-1], baseline(world.documents, interval)
    assert picture.document == new
    assert picture.received == world.at
    assert picture.since_start is (old is None)
    over = new.uptime - (old.uptime if old else 0.0)
    assert picture.over == over
    base = old or said(0.0)
    if not over:
        assert picture.requests is picture.rejects is picture.providers[0].responses is None
        assert set(picture.reasons.values()) == {None}
        return
    gained = new.requests - base.requests
    assert picture.requests == gained / over
    assert picture.rejects == (sum(new.rejects.values()) - sum(base.rejects.values())) / over
    assert picture.reasons == {
        reason: (times - base.rejects[reason]) / over for reason, times in new.rejects.items()
    }
    [row] = picture.providers
    [late], [early] = new.providers, base.providers
    assert row.provider == late
    assert row.responses == gained / over
    assert row.rejects == (late.breaker.rejects - early.breaker.rejects) / over
    assert (row.tokens_in, row.tokens_out) == (3 * gained / over, 2 * gained / over)
    assert row.statuses == {
        status: (times - early.responses[status]) / over
        for status, times in late.responses.items()
        if times > early.responses[status]
    }
    between = {bound: times - early.first_bytes[bound] for bound, times in late.first_bytes.items()}
    assert (row.p50, row.p99) == (quantile(0.5, between), quantile(0.99, between))


@given(STEPS, st.booleans())
def test_nothing_is_counted_twice_and_nothing_is_lost(steps: list[Step], tells_start: bool) -> None:
    """The sparklines' spans hold each request and reject once, whatever restarts, bursts and gaps there were."""
    # The trace is longer than what the steps take only if nobody waits for long.
    brief = [replace(step, after=min(step.after, 4.0)) for step in steps]
    world = played(brief, tells_start=tells_start)
    spans = pictured(world.history).spans
    assert sum(span.requests for span in spans) == world.requests
    assert sum(span.rejects for span in spans) == world.rejects
    assert all(span.requests >= 0 and span.rejects >= 0 for span in spans)


@given(STEPS, st.booleans())
def test_spans_follow_each_other(steps: list[Step], tells_start: bool) -> None:
    """No two spans tell of the same time, and none of a time that is still to come."""
    world = played(steps, tells_start=tells_start)
    spans = pictured(world.history).spans
    assert all(span.start <= span.end for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(span.end >= world.at - TRACE for span in spans)
    assert all(span.end <= world.at for span in spans)


def test_a_picture_needs_a_document() -> None:
    """Before the first document there is no picture."""
    assert History().picture(10.0) is None


def test_at_first_rates_are_those_since_the_start() -> None:
    """One document alone is compared with the process's beginning, and the picture says so."""
    picture = pictured(watched(said(50.0, 200, 30)))
    assert (picture.since_start, picture.over) == (True, 50.0)
    assert (picture.requests, picture.rejects) == (4.0, 0.6)
    assert picture.reasons == {"capacity": 0.4, "rate_limit": 0.2}
    assert picture.providers[0].tokens_in == 12.0
    assert picture.spans == ()


def test_a_bridge_that_has_just_started_has_no_rates() -> None:
    """Over no time at all there is no rate, rather than an infinite one."""
    picture = pictured(watched(said(0.0, 3, 1)))
    assert picture.requests is picture.rejects is picture.providers[0].tokens_out is None
    assert picture.providers[0].statuses == {}


def test_rates_settle_on_the_interval() -> None:
    """With a document a second, rates are over the interval once it has passed, and before over what there is."""
    history = History()
    overs = []
    for second in range(15):
        history.add(said(100.0 + second, 7 * second), float(second))
        overs.append(pictured(history, 10.0).over)
    assert overs == [100.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10]


def test_a_document_a_little_early_serves() -> None:
    """A document may come early by a twentieth of the interval, and no more."""
    assert pictured(watched(said(50.0), said(57.0), said(60.5), said(70.0))).over == 9.5
    assert pictured(watched(said(50.0), said(57.0), said(60.6), said(70.0))).over == 13.0


def test_a_burst_gives_no_rate_of_its_own() -> None:
    """A transition's document, milliseconds after the last one, leaves the rates as they are."""
    history = watched(*(said(float(second), 10 * second) for second in range(20)))
    assert pictured(history, 1.0).requests == 10.0
    history.add(said(19.003, 191), 19.003)
    picture = pictured(history, 1.0)
    assert picture.over == pytest.approx(1.003)
    assert picture.requests == pytest.approx(11 / 1.003)


def test_a_burst_is_no_peak() -> None:
    """A few milliseconds at the border of a column do not make it the highest by far."""
    history = watched(*(said(float(second), 10 * second) for second in range(601)))
    for number in (1, 2, 3):
        history.add(said(600.0 + number / 1000, 6000 + number), 600.0 + number / 1000)
    values = levels(pictured(history).spans, lambda each: each.requests, columns=100, now=600.003)
    assert max(value for value in values if value is not None) == pytest.approx(10, rel=0.3)


@pytest.mark.parametrize("first", [100.0, 101.0])
def test_what_comes_at_the_same_moment_is_not_lost(first: float) -> None:
    """Documents that come at once, even the first ones, keep their requests for the columns."""
    history = History()
    for at, requests in ((first, 0), (101.0, 3), (101.0, 5), (102.0, 7)):
        history.add(said(at, requests), at)
    values = levels(pictured(history).spans, lambda each: each.requests, columns=300, now=102.0)
    assert sum(value for value in values if value is not None) == pytest.approx(7)


# Restarts


def test_a_restart_begins_anew() -> None:
    """After a restart rates are those since the new start, and never negative."""
    history = watched(said(500.0, 90_000, 900), said(501.0, 90_100, 901))
    history.add(said(0.5, 4, 1, started_at=2000.0), 503.0)
    picture = pictured(history)
    assert (picture.since_start, picture.over) == (True, 0.5)
    assert (picture.requests, picture.rejects) == (8.0, 2.0)
    history.add(said(2.5, 10, 1, started_at=2000.0), 505.0)
    picture = pictured(history)
    assert (picture.since_start, picture.over, picture.requests) == (False, 2.0, 3.0)
    assert [span.requests for span in picture.spans] == [100, 4, 6]


def test_a_restart_while_nobody_looked_is_seen() -> None:
    """A new process that has run longer, and done more, than the old one is another one all the same."""
    history = watched(said(10.0, 500), said(11.0, 510))
    history.add(said(40.0, 2000, started_at=1015.0), 60.0)
    picture = pictured(history)
    assert (picture.since_start, picture.over, picture.requests) == (True, 40.0, 50.0)
    assert picture.spans == (Span(10.0, 11.0, 10, 0), Span(20.0, 60.0, 2000, 0))


@pytest.mark.parametrize(("uptime", "requests"), [(3.0, 900), (30.0, 3)])
def test_a_restart_of_an_older_bridge_is_seen(uptime: float, requests: int) -> None:
    """Without started_at, an uptime or a count that fell tells of another process."""
    history = watched(said(10.0, 500, started_at=0.0), said(11.0, 510, started_at=0.0))
    history.add(said(uptime, requests, started_at=0.0), 50.0)
    picture = pictured(history)
    assert (picture.since_start, picture.over) == (True, uptime)
    assert picture.requests == requests / uptime


def test_what_nobody_saw_is_in_no_span() -> None:
    """Between the last word of one process and the start of the next nothing is known, however brief both are."""
    history = watched(said(10.0, 500), said(10.1, 510))
    history.add(said(0.25, 3, started_at=1020.0), 20.25)
    history.add(said(0.3125, 4, started_at=1020.0), 20.3125)
    assert pictured(history).spans == (Span(10.0, 10.1, 10, 0), Span(20.0, 20.3125, 4, 0))


def test_a_lost_connection_is_no_restart() -> None:
    """What the same process did while nobody looked is counted, over the time that it took."""
    history = watched(said(10.0, 500), said(11.0, 510), said(71.0, 570))
    picture = pictured(history)
    assert (picture.since_start, picture.over, picture.requests) == (False, 60.0, 1.0)
    assert picture.spans[-1] == Span(11.0, 71.0, 60, 0)


def test_an_unlikely_bridge_has_no_negative_rates() -> None:
    """Counters that fall without a restart give zero, not less."""
    old = said(10.0, 700, 70)
    worse = replace(said(20.0, 600, 60), requests=700)
    picture = pictured(watched(old, worse))
    [row] = picture.providers
    assert picture.rejects == row.responses == row.rejects == row.tokens_in == row.tokens_out == 0.0
    assert set(picture.reasons.values()) == {0.0}
    assert row.statuses == {}
    assert (row.p50, row.p99) == (None, None)
    assert picture.spans[-1].rejects == 0


def test_what_was_not_there_before_counts_from_0() -> None:
    """A reason, a status or a provider that the older document has not got began at 0."""
    old = replace(said(10.0), rejects={}, providers=())
    new = said(20.0, 70, 30)
    picture = pictured(watched(old, new))
    assert picture.reasons == {"capacity": 2.0, "rate_limit": 1.0}
    assert picture.providers[0].statuses == {"200": 6.0, "429": 1.0}


# What is worth a frame at once


def test_what_happened_is_told() -> None:
    """The first document, an event, draining and a restart are worth a frame at once; counting is not."""
    history = History()
    first = said(10.0, 5)
    event = Event(at=1.0, kind="breaker", provider="openai", source="closed", target="open", because="503")
    happened = [
        history.add(document, float(number))
        for number, document in enumerate(
            [
                first,
                said(11.0, 9),
                replace(said(11.1, 9), events=(event,)),
                replace(said(12.0, 9), events=(event,)),
                replace(said(13.0, 9), events=(event,), draining=True),
                replace(said(14.0, 9), events=(event,), draining=True),
                said(1.0, 0, started_at=2000.0),
            ]
        )
    ]
    assert happened == [True, False, True, False, True, False, True]


# The last minutes in columns

SPANS = st.lists(st.tuples(st.floats(0.01, 40), st.floats(0, 20), st.integers(0, 500)), min_size=1, max_size=25)
COLUMNS = st.integers(1, 100)


def in_a_row(pieces: list[tuple[float, float, int]], end: float = 1000.0) -> list[Span]:
    """Spans of these lengths and counts, with these gaps between them, up to the end."""
    spans: list[Span] = []
    for length, gap, times in reversed(pieces):
        spans.insert(0, Span(end - length, end, times, times // 2))
        end -= length + gap
    return spans


def overlap(span: Span, start: float, end: float) -> float:
    """How long the span is within these bounds."""
    return max(0.0, min(span.end, end) - max(span.start, start))


@given(SPANS, COLUMNS, st.floats(0, 30))
def test_columns_hold_what_came_in_their_time(
    pieces: list[tuple[float, float, int]], columns: int, later: float
) -> None:
    """A column is the rate over what is known of its time, and None where nothing is."""
    spans = in_a_row(pieces)
    now = spans[-1].end + later
    values = levels(spans, lambda each: each.requests, columns=columns, now=now)
    assert len(values) == columns
    width = TRACE / columns
    last = math.floor(now / width)
    for place, value in enumerate(values):
        start = (last - columns + 1 + place) * width
        known = [(span, overlap(span, start, start + width)) for span in spans]
        time = sum(part for _, part in known)
        times = sum(span.requests * part / (span.end - span.start) for span, part in known)
        # Where bounds all but coincide, rounding decides whether there is a sliver of it.
        if time > 1e-6:
            assert value == pytest.approx(times / time, rel=1e-3, abs=1e-9)
        elif time == 0:
            assert value is None or value >= 0


@given(STEPS, st.booleans(), COLUMNS)
def test_columns_hold_every_request_once(steps: list[Step], tells_start: bool, columns: int) -> None:
    """Rates times the known time of their columns are all requests of the trace: none twice, none missing."""
    brief = [replace(step, after=min(step.after, 2.0)) for step in steps]
    world = played(brief, tells_start=tells_start)
    spans = pictured(world.history).spans
    width = TRACE / columns
    last = math.floor(world.at / width)
    values = levels(spans, lambda each: each.requests, columns=columns, now=world.at)
    found = 0.0
    for place, value in enumerate(values):
        start = (last - columns + 1 + place) * width
        found += (value or 0.0) * sum(overlap(span, start, start + width) for span in spans)
    # The first column begins up to a width after the trace does.
    hidden = sum(
        span.requests * overlap(span, 0.0, (last - columns + 1) * width) / (span.end - span.start)
        for span in spans
        if span.end > span.start
    )
    assert found + hidden == pytest.approx(world.requests, rel=1e-6, abs=1e-3)


@given(SPANS, COLUMNS, st.floats(0, 0.99), st.floats(0, 0.99))
def test_columns_stand_still_within_their_width(
    pieces: list[tuple[float, float, int]], columns: int, one: float, other: float
) -> None:
    """While time moves within the last column nothing moves; in the next one everything has moved by one."""
    spans = in_a_row(pieces)
    width = TRACE / columns
    begins = math.ceil(spans[-1].end / width) * width

    def at(part: float) -> list[float | None]:
        # A hair inside, because a multiple of the width is not exact.
        now = begins + width * (part + 0.005)
        return levels(spans, lambda each: each.requests, columns=columns, now=now)

    assert at(one) == at(other)
    assert at(one + 1)[:-1] == at(one)[1:]
    assert at(one + 1)[-1] is None


def test_what_is_not_known_is_no_zero() -> None:
    """Columns without a document have no value; those in which nothing came have 0."""
    spans = [Span(700.0, 760.0, 0, 0), Span(880.0, 940.0, 30, 6)]
    assert levels(spans, lambda each: each.requests, columns=5, now=959.0) == [0.0, 0.0, None, 0.5, 0.5]
    assert levels(spans, lambda each: each.rejects, columns=5, now=959.0)[3] == pytest.approx(0.1)


# Percentiles

BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
QUANTILES = st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 1.0])


def prometheus(q: float, buckets: Mapping[float, int]) -> Fraction | None:
    """The rule of histogram_quantile, in fractions; None where it would stop at the last finite bound."""
    bounds = sorted(buckets)
    counts = [buckets[bound] for bound in bounds]
    rank = Fraction(q * counts[-1])
    place = bisect_left(counts, rank)
    if bounds[place] == INF:
        return None
    lower, below = (Fraction(bounds[place - 1]), counts[place - 1]) if place else (Fraction(0), 0)
    return lower + (Fraction(bounds[place]) - lower) * (rank - below) / (counts[place] - below)


@given(st.lists(st.integers(0, 50), min_size=11, max_size=11).filter(any), QUANTILES)
def test_quantiles_are_those_of_prometheus(counts: list[int], q: float) -> None:
    """The estimate is histogram_quantile's; above the last finite bound it is infinite."""
    buckets = {bound: sum(counts[: place + 1]) for place, bound in enumerate((*BOUNDS, INF))}
    expected = prometheus(q, buckets)
    found = quantile(q, buckets)
    assert found == (INF if expected is None else pytest.approx(float(expected)))


@given(st.lists(st.floats(0.0001, 2000), min_size=1, max_size=200), QUANTILES)
def test_quantiles_are_in_the_true_ones_bucket(samples: list[float], q: float) -> None:
    """The estimate is off by no more than its bucket is wide."""
    buckets = {bound: sum(sample <= bound for sample in samples) for bound in (*BOUNDS, INF)}
    true = sorted(samples)[math.ceil(q * len(samples)) - 1]
    place = bisect_left(BOUNDS, true)
    found = quantile(q, buckets)
    assert found is not None
    assert ((0.0, *BOUNDS)[place] if place < len(BOUNDS) else INF) <= found
    # But for rounding.
    assert found <= (*BOUNDS, INF)[place] * (1 + 1e-9)


def test_a_percentile_is_of_the_interval_and_not_of_ever() -> None:
    """Slow answers of yesterday are not in the percentiles of now."""

    def slow_then_fast(uptime: float, fast: int) -> Document:
        document = said(uptime, 1000 + fast)
        buckets = {0.1: fast, 10.0: 1000 + fast, INF: 1000 + fast}
        return replace(document, providers=(replace(document.providers[0], first_bytes=buckets),))

    history = watched(slow_then_fast(100.0, 0))
    [row] = pictured(history).providers
    assert [row.p50, row.p99] == pytest.approx([5.05, 9.901])
    history.add(slow_then_fast(110.0, 10), 110.0)
    [row] = pictured(history).providers
    assert [row.p50, row.p99] == pytest.approx([0.05, 0.099])


@pytest.mark.parametrize("buckets", [{}, {INF: 0}, {0.1: 0, INF: 0}])
def test_nothing_measured_has_no_quantile(buckets: dict[float, int]) -> None:
    """An empty histogram has no percentiles."""
    assert quantile(0.5, buckets) is None


# Callers


def calling(uptime: float, *callers: tuple[str, int]) -> Document:
    """A document with these callers and their requests."""
    return replace(said(uptime), callers=tuple(Caller(hint, requests, 0, 0) for hint, requests in callers))


def rates(*documents: Document) -> list[tuple[str, float | None]]:
    """Who is shown, and with which rate."""
    return [(caller.hint, rate) for caller, rate in pictured(watched(*documents)).callers]


def test_the_busiest_of_the_interval_comes_first() -> None:
    """Callers are ordered by what they did lately, then by what they did ever."""
    old = calling(10.0, ("…aaaa", 900), ("…bbbb", 50), ("…cccc", 10), ("…dddd", 20))
    new = calling(20.0, ("…aaaa", 910), ("…bbbb", 100), ("…cccc", 10), ("…dddd", 20))
    assert rates(old, new) == [("…bbbb", 5.0), ("…aaaa", 1.0), ("…dddd", 0.0), ("…cccc", 0.0)]


def test_a_new_caller_counts_from_0() -> None:
    """Who was not there while all callers were told is new."""
    assert rates(calling(10.0), calling(20.0, ("…aaaa", 30))) == [("…aaaa", 3.0)]
    nineteen = [(f"…{number:04}", 5) for number in range(19)]
    assert ("…aaaa", 3.0) in rates(calling(10.0, *nineteen), calling(20.0, *nineteen, ("…aaaa", 30)))


def test_who_may_have_been_there_before_has_no_rate() -> None:
    """With twenty told, one more may have been there untold: its rate is not known."""
    twenty = [(f"…{number:04}", 5) for number in range(20)]
    assert ("…aaaa", None) in rates(calling(10.0, *twenty), calling(20.0, *twenty[1:], ("…aaaa", 30)))


def test_since_the_start_everybody_is_known() -> None:
    """At the bridge's start there was nobody, so that twenty callers have rates since then."""
    twenty = [(f"…{number:04}", 50) for number in range(20)]
    assert {rate for _, rate in rates(calling(10.0, *twenty))} == {5.0}


@pytest.mark.parametrize("old", [[("…aaaa", 10)], [("…aaaa", 10), ("…aaaa", 5)]])
@pytest.mark.parametrize("new", [[("…aaaa", 40)], [("…aaaa", 40), ("…aaaa", 5)]])
def test_callers_that_look_alike_have_no_rate(old: list[tuple[str, int]], new: list[tuple[str, int]]) -> None:
    """Two callers behind one hint, now or before, cannot be told apart; the others are not touched by it."""
    expected = 3.0 if len(old) == len(new) == 1 else None
    found = rates(calling(10.0, *old, ("…bbbb", 0)), calling(20.0, *new, ("…bbbb", 10)))
    assert {rate for hint, rate in found if hint == "…aaaa"} == {expected}
    assert dict(found)["…bbbb"] == 1.0


def test_a_forgotten_caller_counts_from_0_again() -> None:
    """A caller whose count fell was forgotten meanwhile: what it has now is new."""
    assert rates(calling(10.0, ("…aaaa", 500)), calling(20.0, ("…aaaa", 30))) == [("…aaaa", 3.0)]


@given(STEPS, st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=6))
def test_callers_are_all_shown_and_none_is_negative(steps: list[Step], callers: list[tuple[str, int]]) -> None:
    """Whatever came before, everybody who is told is shown, with a rate from 0 on or none."""
    world = played(steps, tells_start=True)
    last = world.documents[-1]
    shown = tuple(Caller(hint, requests, 0, 0) for hint, requests in callers)
    world.history.add(replace(last, uptime=last.uptime + 1.0, callers=shown), world.at + 1.0)
    found = pictured(world.history).callers
    assert sorted(str(caller) for caller, _ in found) == sorted(map(str, shown))
    assert all(rate is None or rate >= 0 for _, rate in found)


# Memory


@pytest.mark.parametrize("every", [0.0, 0.001, 0.15, 1.0, 40.0])
def test_memory_is_bounded(every: float) -> None:
    """However often documents come, and however long, a bounded number of them and of spans is kept."""
    history = History()
    most = 0
    for number in range(8000):
        history.add(said(number * every, number), number * every)
        most = max(most, len(history._documents) + len(history._spans))
    assert most <= 240 + 3000


def test_memory_is_bounded_while_bridges_come_and_go() -> None:
    """Restarts without end, each with a gap before it, are bounded too."""
    history = History()
    for number in range(8000):
        history.add(said(0.0001, 1, started_at=float(number)), number * 0.001)
    assert len(history._documents) == 1
    assert len(history._spans) <= 3000


def test_a_burst_does_not_push_the_minutes_out() -> None:
    """At fifty documents a second, five minutes are still there, and every request of them."""
    history = History()
    for number in range(50 * 400):
        history.add(said(number / 50, number), number / 50)
    spans = pictured(history).spans
    assert spans[0].start <= 400 - TRACE
    assert sum(span.requests for span in spans) == pytest.approx(50 * TRACE, abs=50 * 2.5)


def test_what_is_older_than_the_trace_is_forgotten() -> None:
    """A span is kept as long as a part of it is within the trace."""
    history = History()
    for second in range(0, 1000, 10):
        history.add(said(float(second), second), float(second))
    spans = pictured(history).spans
    assert [spans[0].start, spans[-1].end] == [680.0, 990.0]


# Clocks


def peak(history: History, now: float) -> float:
    """The highest column of what a screen shows."""
    values = levels(pictured(history).spans, lambda each: each.requests, columns=34, now=now)
    return max(value for value in values if value is not None)


def test_documents_that_waited_make_no_peak() -> None:
    """What comes all at once after Ctrl-Z is shown where it happened."""
    history = History()
    for second in range(60):
        at = 1000.0 + (second if not 30 <= second < 55 else 55)
        history.add(said(100.0 + second, 10 * second, 0), at + second * 1e-4)
    assert peak(history, 1060.0) == pytest.approx(10.0, rel=0.01)


def test_a_sleep_is_no_peak() -> None:
    """While this machine slept its clock stood still and the bridge's went on: eight hours are eight hours."""
    history = History()
    for second in range(60):
        history.add(said(100.0 + second, 10 * second, 0), 1000.0 + second)
    history.add(said(100.0 + 8 * 3600, 10 * 8 * 3600, 0), 1060.0)
    assert peak(history, 1060.0) == pytest.approx(10.0, rel=0.01)


def test_the_life_of_another_bridge_is_no_peak() -> None:
    """Whoever is found at the address and has run for long did its work before: nobody knows when."""
    history = History()
    for second in range(60):
        history.add(said(100.0 + second, 10 * second, 0, started_at=1.0), 1000.0 + second)
    for second in range(60, 70):
        history.add(said(900_000.0 + second, 10_000_000 + 10 * second, 0, started_at=2.0), 1000.0 + second)
    assert peak(history, 1070.0) == pytest.approx(10.0, rel=0.01)


def test_as_many_callers_are_told_as_are_reckoned_with() -> None:
    """The status's bound on callers is the one that rates are worked out by."""
    assert history_room._TOLD_CALLERS == status_room._TOLD_CALLERS
