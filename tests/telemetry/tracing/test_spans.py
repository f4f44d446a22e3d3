"""The spans of a request: names, operations, errors."""

from __future__ import annotations

import os

import pytest

from aibridge_trio.telemetry.tracing.spans import ProviderFacts, spans
from aibridge_trio.telemetry.tracing.traced_record import AttemptTimes, Wait
from tests.telemetry.tracing.test_exporter import FINISHED, TRACE

PROVIDERS = {"openai": ProviderFacts("openai", "api.example", 443)}


@pytest.mark.parametrize(
    ("route", "operation"),
    [
        ("/chat/completions", "chat"),
        ("/v1/messages", "chat"),
        ("/responses", "chat"),
        ("/deployments/*/completions", "text_completion"),
        ("/deployments/*/chat/completions", "chat"),
        ("/embeddings", "embeddings"),
        ("/v1/messages/count_tokens", None),
        ("other", None),
    ],
)
def test_an_operation_follows_from_the_route(route: str, operation: str | None) -> None:
    """What is none of GenAI's has none."""
    trace = TRACE._replace(
        finished=FINISHED._replace(route=route), asked="m", attempts=(AttemptTimes("openai", 1.0),)
    )
    own, attempt = spans(trace, PROVIDERS, os.urandom)
    assert own.name == ("POST" if route == "other" else f"POST {route}")
    assert own.attributes.get("gen_ai.operation.name") == operation
    assert attempt.name == (f"{operation} m" if operation else "m")


@pytest.mark.parametrize(
    ("changes", "error", "failed"),
    [
        ({"status": 200}, None, False),
        ({"status": 404}, "404", False),
        ({"status": 500}, "500", True),
        ({"status": 429, "reject": "rate_limit"}, "rate_limit", False),
        ({"status": 503, "reject": "capacity", "message": "full"}, "capacity", True),
        ({"status": 200, "broken": True}, "broken", True),
        ({"status": 200, "broken": True, "left": True}, "cancelled", False),
        ({"status": 499, "left": True}, "cancelled", False),
    ],
)
def test_an_error_has_its_type(changes: dict[str, object], error: str | None, failed: bool) -> None:
    """What the caller did itself is no failure of the bridge."""
    (own,) = spans(TRACE._replace(finished=FINISHED._replace(**changes)), {}, os.urandom)  # type: ignore[arg-type]
    assert own.attributes.get("error.type") == error
    assert (own.failed is not None) is failed
    assert ("http.response.status_code" in own.attributes) is (changes["status"] != 499)


def test_times_are_unix_times() -> None:
    """The clock's are counted back from the end."""
    finished = FINISHED._replace(at=50.0, total=10.0)
    trace = TRACE._replace(finished=finished, wall=1000.0, admitted=42.0, waits=(Wait("queue", 41.0, 42.0),))
    own, queue = spans(trace, {}, os.urandom)
    assert (own.began, own.ended, own.moments[0].at) == (990.0, 1000.0, 992.0)
    assert (queue.began, queue.ended, queue.parent) == (991.0, 992.0, own.span_id)


def test_a_trace_knows_how_many_spans_it_has() -> None:
    """For those that are dropped before they are made."""
    attempts = (AttemptTimes("openai", 1.0), AttemptTimes("gone", 2.0, first_byte=3.0))
    trace = TRACE._replace(attempts=attempts, waits=(Wait("hold", 1.0, 2.0, "sent"),))
    assert len(list(spans(trace, PROVIDERS, os.urandom))) == trace.spans == 5
