from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.errors import PHASES, REASONS
from aibridge_trio.events import (
    HOLD_OUTCOMES,
    KINDS,
    PUSHBACK_CAUSES,
    AdminRefused,
    Answered,
    Bug,
    Event,
    Faulted,
    Held,
    Judged,
    SentAgain,
    Transitioned,
    Waited,
)
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.telemetry.counters import BUCKETS, Counters, Histogram

SCOPES = [("openai", "chat"), ("openai", "responses")]


def count(counters: Counters, *events: Event) -> None:
    """Let the counters handle events."""
    for event in events:
        counters.handlers[type(event)](event)


def moved(target: State, *, scope: str | None = None, trip: bool = False) -> Transitioned:
    """Return a transition of OpenAI's breaker."""
    return Transitioned("openai", State.CLOSED, target, "failures", trip, scope)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.0, 0.005), (0.005, 0.005), (0.006, 0.01), (600, 600), (601, "+Inf")]
)
def test_a_duration_is_counted_from_its_bound_on(seconds: float, bound: float | str) -> None:
    """A bound includes durations that are equal to it, as Prometheus' `le` does."""
    histogram = Histogram()
    histogram.observe(seconds)
    assert next(each for each, found in histogram.cumulative() if found) == bound
    assert (histogram.count, histogram.sum) == (1, seconds)


@given(st.lists(st.floats(0, 1000)), st.lists(st.floats(0, 1000)))
def test_histograms_add_up(mine: list[float], theirs: list[float]) -> None:
    """Adding a histogram is the same as counting its durations; the bounds' counts never fall."""
    one, other, both = Histogram(), Histogram(), Histogram()
    for seconds in mine:
        one.observe(seconds)
        both.observe(seconds)
    for seconds in theirs:
        other.observe(seconds)
        both.observe(seconds)
    one.add(other)
    assert list(one.cumulative()) == list(both.cumulative())
    assert one.sum == pytest.approx(both.sum)
    counts = [found for _, found in one.cumulative()]
    assert counts == sorted(counts)
    assert counts[-1] == one.count == len(mine) + len(theirs)
    assert len(counts) == len(BUCKETS) + 1


def test_every_known_key_starts_at_0() -> None:
    """A rate sees the first event of each reason, phase, verdict and route."""
    counters = Counters([OPENAI], SCOPES)
    assert dict(counters.rejects) == dict.fromkeys(REASONS, 0)
    assert dict(counters.errors) == {("openai", phase): 0 for phase in PHASES}
    assert dict(counters.sent_again) == {("openai", cause): 0 for cause in PUSHBACK_CAUSES}
    assert counters.holds.keys() == {("openai", outcome) for outcome in HOLD_OUTCOMES}
    assert dict(counters.verdicts) == {("openai", verdict): 0 for verdict in Verdict}
    assert {route for _, route in counters.durations} == {route.pattern for route in OPENAI.routes}
    assert ("none", "other", 404) in counters.requests
    assert counters.scope_states == dict.fromkeys(SCOPES, State.CLOSED)


def test_each_event_is_counted_under_its_own_key() -> None:
    """One event adds one to one counter."""
    counters = Counters([OPENAI])
    count(
        counters,
        Answered("openai", 200),
        Answered("openai", 418),
        Faulted("openai", "connect"),
        Judged("openai", Verdict.SUCCESS),
        Waited("openai", 0.02, "served"),
        Held("openai", 0.02, "sent"),
        SentAgain("openai", "529"),
        AdminRefused("token", None),
        Bug("here"),
    )
    assert +counters.responses == {("openai", 200): 1, ("openai", 418): 1}
    assert +counters.errors == {("openai", "connect"): 1}
    assert +counters.verdicts == {("openai", Verdict.SUCCESS): 1}
    assert {key: each.count for key, each in counters.waits.items() if each.count} == {("served",): 1}
    assert {key: each.count for key, each in counters.holds.items() if each.count} == {("openai", "sent"): 1}
    assert +counters.sent_again == {("openai", "529"): 1}
    assert +counters.admin_refusals == {"token": 1}
    assert counters.bugs == 1
    assert set(counters.handlers) <= set(KINDS)


def test_a_provider_is_in_the_gravest_state_of_its_breakers() -> None:
    """With several breakers, the provider is open while one is; trips are counted by provider and scope."""
    counters = Counters([OPENAI], SCOPES)
    count(counters, moved(State.OPEN, scope="chat", trip=True), moved(State.CLOSED, scope="responses"))
    assert counters.states == {"openai": State.OPEN}
    assert (counters.trips["openai"], +counters.scope_trips) == (1, {("openai", "chat"): 1})
    count(counters, moved(State.HALF_OPEN, scope="chat"))
    assert counters.states == {"openai": State.HALF_OPEN}
    count(counters, moved(State.CLOSED, scope="chat"))
    assert counters.states == {"openai": State.CLOSED}


def test_one_breaker_sets_its_providers_state() -> None:
    """Without scopes the provider's state is its breaker's."""
    counters = Counters([OPENAI])
    count(counters, moved(State.OPEN, trip=True))
    assert (counters.states["openai"], counters.trips["openai"]) == (State.OPEN, 1)
    assert counters.scope_states == {}
