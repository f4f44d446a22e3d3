"""What is said of a request: whatever became of it, its story is whole and of printable words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.errors import Reject
from aibridge_trio.events import Finished, Step
from aibridge_trio.telemetry.explanation import DECIDED_BY, document, explanation
from tests.telemetry.test_log_format import REQUESTS
from tests.telemetry.test_logs import NOON, REQUEST


def test_each_reject_has_what_decided_it() -> None:
    """None is left out, and none is named that there is not."""
    assert sorted(DECIDED_BY) == sorted({each.reason for each in Reject.__subclasses__()})


def test_an_answer() -> None:
    """The caller, the request, its provider, and how long it took."""
    event = REQUEST._replace(model="gpt-x", attempts=1, queued=0.25)
    assert list(explanation(event)) == [
        "POST /chat/completions to openai of caller …cdef, model gpt-x.",
        "It waited 0.25 s in the bridge's queue.",
        "It was sent to a provider once, and was 1.23 s at openai, 0.5 s of them until the first byte.",
        "For the provider's health this counts as success.",
        "The provider answered 200, 2000 bytes, after 2 s.",
    ]


def test_a_reject_before_the_provider() -> None:
    """By what, with which words to the caller, and when it may come back."""
    event = REQUEST._replace(status=429, reject="rate_limit", message="You've been rate limited.", wait=0.8)
    event = event._replace(duration=None, first_byte=None, queued=0.0, verdict=None, total=0.001)
    assert list(explanation(event)) == [
        "POST /chat/completions to openai of caller …cdef.",
        "It was not sent to a provider.",
        f"AI Bridge answered 429 rate_limit after 0.001 s, decided by {DECIDED_BY['rate_limit']}.",
        "Its caller got this text: You've been rate limited.",
        "Its caller was asked to come back in 0.8 s, and a little more.",
    ]


def test_a_request_that_went_from_provider_to_provider() -> None:
    """Each step with its time, in order; and the cause is said once."""
    cause = "no connection: refused"
    event = REQUEST._replace(
        attempts=3,
        status=502,
        reject="upstream_unreachable",
        verdict=Verdict.FAILURE,
        cause=cause,
        steps=(
            Step(0.1, "passed_over", "away", "circuit_open"),
            Step(0.2, "sent_again", "openai", "529"),
            Step(0.3, "held", "openai", "0.1 s, sent"),
            Step(0.4, "other_key", "openai", "401"),
            Step(0.5, "fault", "openai", cause),
        ),
    )
    said = list(explanation(event))
    assert said[2:7] == [
        "After 0.1 s: not sent to away, or not again: circuit_open.",
        "After 0.2 s: sent to openai again, after 529.",
        "After 0.3 s: held for openai: 0.1 s, sent.",
        "After 0.4 s: sent to openai again with another key, after 401.",
        "After 0.5 s: no answer of openai: no connection: refused.",
    ]
    assert said[7].startswith("It was sent to a provider 3 times, and was the last time 1.23 s at openai, ")
    assert "".join(said).count(cause) == 1


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"status": 499, "left": True}, "Its caller left after 2 s, before there was an answer."),
        (
            {"broken": True},
            "The answer 200 began, and did not come to its end: the answer broke off after 2 s.",
        ),
        (
            {"broken": True, "left": True},
            "The answer 200 began, and did not come to its end: its caller left after 2 s.",
        ),
        ({"status": 400}, "The provider answered 400, and the caller got that answer, 2000 bytes, after 2 s."),
        ({"attempts": 0}, "AI Bridge answered 200, 2000 bytes, after 2 s."),
    ],
)
def test_how_it_ended(changes: dict[str, object], last: str) -> None:
    """The last line says so."""
    assert [*explanation(REQUEST._replace(**{"attempts": 1, **changes}))][-1] == last  # type: ignore[arg-type]


@given(REQUESTS, st.none() | st.sampled_from(sorted(DECIDED_BY)))
def test_whatever_became_of_a_request_it_is_explained(event: Finished, reject: str | None) -> None:
    """As JSON with the fields of its log line."""
    found = document(event._replace(reject=reject), NOON, explained=True)
    assert len(found["explanation"]) >= 2
    assert (found["request_id"], found["status"], found["reject"]) == (event.request_id, event.status, reject)
    assert "explanation" not in document(event, NOON, explained=False)
