"""What goes wrong with a provider: which failures, how often, and which part of all that it was asked."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.document import Breaker, Document, Provider, Queue
from aibridge_trio.top.data.rates import ProviderRates, is_failure, provider_rates, quantile, queue_rates
from tests.support.watched import INF, pictured, said, watched

BREAKER = Breaker(
    enabled=False,
    state="closed",
    mode="auto",
    since=0.0,
    left=None,
    failures=0,
    threshold=0,
    probes=0,
    max_probes=0,
    trips=0,
    rejects=0,
    verdicts={},
)
NOTHING = Provider("openai", 0, BREAKER, responses={}, errors={}, first_bytes={}, tokens={})


def after(
    responses: dict[str, int], errors: dict[str, int] | None = None, failures: int = 0, over: float = 10.0
) -> ProviderRates:
    """The rates of a provider that answered and failed so, in ten seconds."""
    new = replace(
        NOTHING,
        responses=responses,
        errors=errors or {},
        breaker=replace(BREAKER, verdicts={"failure": failures}),
    )
    return provider_rates(new, NOTHING, over)


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        *((status, True) for status in ("429", "500", "502", "503", "504", "529", "599")),
        *((status, False) for status in ("200", "204", "302", "400", "401", "404", "422", "499", "5", "5000", "")),
    ],
)
def test_whose_fault_a_status_is(status: str, failed: bool) -> None:
    """A provider in trouble says so by 429 or from 500 on; what is below is its caller's matter."""
    assert is_failure(status) is failed


def test_failures_are_told_by_what_they_are() -> None:
    """Statuses, phases of errors, and overloads behind a 200, each with its rate, the most frequent first."""
    row = after({"200": 50, "529": 20, "500": 5, "401": 9}, {"connect": 0, "head": 10, "stream": 1}, 20 + 11 + 3)
    assert row.failures == {"529": 2.0, "head": 1.0, "500": 0.5, "overload event": 0.3, "stream": 0.1}
    assert list(row.failures) == ["529", "head", "500", "overload event", "stream"]
    assert row.errors == {"head": 1.0, "stream": 0.1}


@pytest.mark.parametrize(
    ("responses", "errors", "failures", "events"),
    [
        ({"200": 10}, {}, 4, 0.4),
        ({"200": 10, "429": 3, "503": 2, "529": 1}, {}, 6, 0.0),
        ({"200": 10, "429": 3}, {"head": 2}, 6, 0.1),
        # A 500 is neutral, and so is a 429 of an empty account: neither makes an event, nor a negative one.
        ({"200": 10, "500": 3}, {}, 1, 0.1),
        ({"200": 10, "429": 3}, {}, 0, 0.0),
    ],
)
def test_what_no_status_shows_is_shown_by_verdicts(
    responses: dict[str, int], errors: dict[str, int], failures: int, events: float
) -> None:
    """A verdict of failure that is neither a status's nor an error's was an event in a stream."""
    assert after(responses, errors, failures).events == events


@pytest.mark.parametrize(
    ("responses", "errors", "failures", "share"),
    [
        ({}, {}, 0, 0.0),
        ({"200": 9}, {}, 0, 0.0),
        ({"529": 9}, {}, 9, 1.0),
        ({"200": 6, "503": 2}, {"head": 2}, 4, 0.4),
        ({"200": 10}, {"stream": 5}, 5, 0.5),
        ({"200": 10}, {}, 5, 0.5),
        ({}, {"connect": 3}, 3, 1.0),
        # What broke had been answered before the interval.
        ({}, {"stream": 3}, 3, 1.0),
    ],
)
def test_the_share_is_of_all_that_was_asked(
    responses: dict[str, int], errors: dict[str, int], failures: int, share: float
) -> None:
    """Answers, and what found none, are the whole; what breaks off had an answer and is not counted twice."""
    assert after(responses, errors, failures).share == pytest.approx(share)


COUNTS = st.dictionaries(st.sampled_from(["200", "404", "429", "500", "529"]), st.integers(0, 99))
ERRORS = st.dictionaries(st.sampled_from(["connect", "head", "stream"]), st.integers(0, 99))


@given(COUNTS, ERRORS, st.integers(0, 99), st.sampled_from([0.0, 0.5, 10.0]))
def test_failures_are_there_or_not(
    responses: dict[str, int], errors: dict[str, int], failures: int, over: float
) -> None:
    """No rate is 0 or less, and there is a share of failures if and only if there is one."""
    row = after(responses, errors, failures, over)
    assert all(each > 0 for each in row.failures.values())
    assert 0 <= row.share <= 1
    assert (row.share > 0) == bool(row.failures)


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


COUNTERS = st.integers(0, 1000)


QUEUES = st.builds(
    Queue,
    size=COUNTERS,
    served=COUNTERS,
    full=COUNTERS,
    timed_out=COUNTERS,
    hopeless=COUNTERS,
    left=COUNTERS,
    waits=st.dictionaries(st.sampled_from([0.1, 1.0, 10.0]), COUNTERS),
)


@given(QUEUES, QUEUES, st.sampled_from([0.0, 0.5, 10.0]))
def test_no_rate_of_the_queue_is_negative(new: Queue, old: Queue, over: float) -> None:
    """Whatever two documents say, rates are above 0 or not told."""
    rates = queue_rates(new, old, over)
    assert all(each > 0 for each in rates.turned_away.values())
    assert (rates.served or 0) >= 0
    assert (rates.left or 0) >= 0
