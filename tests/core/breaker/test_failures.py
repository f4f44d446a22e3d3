"""The failures that count are compared with a count of all facts from scratch."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.failures import Failures, LatestCallers

callers = st.sampled_from("abcd")
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 3.0, 10.0]),
        st.sampled_from(["own", "all", "answered", "refused", "goes on", "ended"]),
        callers,
        st.sampled_from([None, 1.0, 30.0]),
    ),
    max_size=40,
)


@given(st.lists(st.tuples(callers, st.integers(0, 50)), max_size=30), callers)
def test_the_latest_other_is_known_from_two(seen: list[tuple[str, int]], asked: str) -> None:
    """Two callers are enough to know when a caller other than any given one was last recorded."""
    latest = LatestCallers()
    for caller, at in seen:
        latest.record(caller, at)
    assert latest.last_other_than(asked) == max((at for caller, at in seen if caller != asked), default=-math.inf)


@given(steps)
def test_what_counts_is_what_the_rule_says(story: list[tuple[float, str, str, float | None]]) -> None:
    """All of the provider's count; caller-related ones do unless they are one caller's and another is present."""
    failures, now = Failures(10.0, 3), 0.0
    own: list[tuple[float, str]] = []
    others: list[float] = []
    there: list[tuple[float, str]] = []
    going_on: list[str] = []
    for seconds, what, caller, wait in story:
        now += seconds
        match what:
            case "own":
                failures.add(now, now + 50, caller)
                own.append((now, caller))
            case "all":
                failures.add(now, now + 20, None)
                others.append(now)
            case "answered":
                failures.succeeded(caller, now, wait or 0.0)
                there.append((now + (wait or 0.0), caller))
            case "goes on":
                failures.answer_continues(caller)
                going_on.append(caller)
            case "ended":
                if caller in going_on:
                    failures.answer_ended(caller, now)
                    going_on.remove(caller)
                    there.append((now, caller))
            case _:
                failures.refused(caller, now, wait)
                there.append((now + 1.2 * (wait or 0.0), caller))
        fresh = [each for each in own if each[0] > now - 10]
        among = {name for _, name in fresh}
        there_now = {name for at, name in there if at > now - 10}.union(going_on)
        alone = len(among) == 1 and bool(there_now - among)
        plain = [at for at in others if at > now - 10]
        assert failures.total(now) == min(3, len(plain) + (0 if alone else len(fresh)))
        words = [at + 20 for at in plain] + ([] if alone else [at + 50 for at, _ in fresh])
        assert failures.latest_retry_at(now) == max(words, default=-math.inf)
        assert failures.counts(None, now)
    failures.clear(closed=True)
    assert failures.total(now) == 0
