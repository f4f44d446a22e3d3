"""One request at its provider; with its circuit it is tested in test_circuit."""

from __future__ import annotations

from aibridge_trio.core.breaker.verdict import NEUTRAL, Evidence, Verdict
from aibridge_trio.gateway.attempt import Attempt


def test_without_a_circuit_nothing_is_judged() -> None:
    """A listener gets all evidence all the same."""
    attempt = Attempt(None)
    seen: list[Evidence] = []
    attempt.listener = seen.append
    with attempt:
        attempt.acquire()
        attempt.request_sent()
        attempt.response_started([])
        attempt.first_byte()
        attempt.report(Evidence(Verdict.SUCCESS, "200"))
        attempt.report(None)
    assert [evidence.verdict for evidence in seen] == [Verdict.SUCCESS, NEUTRAL.verdict]
    assert attempt.verdict is None
    assert attempt.retry_after(NEUTRAL) is None
