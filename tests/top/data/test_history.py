"""Rates, percentiles and the last minutes, against what is counted from scratch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.document import Document, Event
from aibridge_trio.top.data.history import TRACE, History, Span, levels
from aibridge_trio.top.data.rates import quantile
from tests.support.watched import STEPS, Step, pictured, played, said, watched

# Any stream of documents


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
    # The trace is longer than what the steps take only if no step waits for long.
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


def test_a_restart_between_documents_is_seen() -> None:
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


def test_what_no_document_shows_is_in_no_span() -> None:
    """Between the last word of one process and the start of the next nothing is known, however brief both are."""
    history = watched(said(10.0, 500), said(10.1, 510))
    history.add(said(0.25, 3, started_at=1020.0), 20.25)
    history.add(said(0.3125, 4, started_at=1020.0), 20.3125)
    assert pictured(history).spans == (Span(10.0, 10.1, 10, 0), Span(20.0, 20.3125, 4, 0))


def test_a_lost_connection_is_no_restart() -> None:
    """What the same process did during a lost connection is counted, over the time that it took."""
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


def test_what_happened_is_reported() -> None:
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


# Percentiles


# Callers


# Memory


# Clocks
