"""What goes wrong with a provider: which failures, how often, and which part of all that it was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.document import Breaker, Provider
from aibridge_trio.top.data.rates import ProviderRates, is_failure, provider_rates

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
def test_what_no_status_tells_is_told_by_verdicts(
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
