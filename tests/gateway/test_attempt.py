"""One request at its provider; with its circuit it is tested in test_circuit."""

from __future__ import annotations

from typing import Any

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


def test_a_stream_keeps_the_hint_of_its_head_and_not_its_headers() -> None:
    """An error behind the first content has it, too, less the time that has passed since the head."""

    class Circuit:
        now = 100.0

        def clock(self) -> float:
            return self.now

        def read_retry_after(self, headers: Any) -> float:
            (header,) = headers
            return float(header[1])

    circuit: Any = Circuit()
    attempt = Attempt(circuit)
    attempt.response_started([(b"retry-after", b"30")])
    attempt.forget_headers()
    circuit.now += 10
    assert attempt.headers == []
    assert attempt.retry_after(NEUTRAL) == 20
    attempt.response_started([(b"retry-after", b"99")])
    assert attempt.retry_after(NEUTRAL) == 20
