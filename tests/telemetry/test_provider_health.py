"""What /status says of a provider that no counter holds: silence, and why a breaker moved."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.events import Finished, FirstByte, Started, Transitioned
from aibridge_trio.telemetry.provider_health import ProviderHealth

CALLER = Caller(b"key", "…9fK2", authenticated=True)


def finished(**changes: Any) -> Finished:
    """Return the end of a request that was answered."""
    told = Finished(
        request_id="r",
        provider="openai",
        route="other",
        method="GET",
        status=200,
        reject=None,
        verdict=None,
        broken=False,
        duration=0.0,
        queued=0.0,
        total=0.0,
        first_byte=1.0,
        bytes_in=0,
        bytes_out=0,
        caller=CALLER,
        user_agent="",
        started=True,
        reached_upstream=True,
        usage=Usage(),
    )
    return told._replace(**changes)


class Desk:
    """Notes, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.notes = ProviderHealth(lambda: self.now)

    def start(self, many: int = 1) -> None:
        """Let so many requests go to openai."""
        for _ in range(many):
            self.notes.started(Started("openai", CALLER))

    def begin(self) -> None:
        """Let an answer begin."""
        self.notes.first_byte(FirstByte("openai", "/x", 1.0, self.now))

    def finish(self, **changes: Any) -> None:
        """Let a request end, by itself an answered one."""
        self.notes.finished(finished(at=self.now, **changes))

    def after(self, seconds: float) -> tuple[int, float | None]:
        """Let time pass, and ask."""
        self.now += seconds
        return self.notes.unanswered("openai")


def test_without_requests_there_is_no_silence() -> None:
    """Without a request, nothing is unanswered."""
    desk = Desk()
    assert desk.after(99) == (0, None)


def test_silence_is_counted_from_the_first_that_waits() -> None:
    """Fifteen hang, however they came one after the other."""
    desk = Desk()
    desk.start(14)
    assert desk.after(10) == (14, 10)
    desk.start()
    assert desk.after(4) == (15, 14)


def test_an_answer_that_begins_or_ends_begins_it_anew() -> None:
    """A provider that answers other requests is slow, not silent."""
    desk = Desk()
    desk.start(3)
    desk.after(9)
    desk.begin()
    assert desk.after(2) == (2, 2)
    desk.finish()
    assert desk.after(1) == (2, 1)


def test_an_answer_without_a_body_is_one() -> None:
    """A 204, or the answer to a HEAD, has no first byte."""
    desk = Desk()
    desk.start(2)
    desk.after(9)
    desk.finish(first_byte=None, status=204)
    assert desk.after(1) == (1, 1)


@pytest.mark.parametrize(
    "failed",
    [
        {"status": 499},
        {"reject": "upstream_timeout", "status": 504},
        {"reject": "circuit_open", "status": 503},
        {"broken": True},
    ],
)
def test_what_ends_without_an_answer_is_none(failed: dict[str, Any]) -> None:
    """Callers that give up, and faults, break no silence."""
    desk = Desk()
    desk.start(3)
    desk.after(9)
    desk.finish(first_byte=None, **failed)
    assert desk.after(1) == (2, 10)


def test_who_waits_after_a_rest_waits_from_then_on() -> None:
    """Hours without any request are no silence."""
    desk = Desk()
    desk.start()
    desk.finish(first_byte=None, status=499)
    assert desk.after(3600) == (0, None)
    desk.start()
    assert desk.after(1) == (1, 1)


def test_what_never_went_to_a_provider_counts_for_none() -> None:
    """A request rejected before it is sent is not in flight."""
    desk = Desk()
    desk.start(2)
    desk.after(9)
    desk.finish(started=False, first_byte=None, reject="rate_limit")
    assert desk.after(0) == (2, 9)


def moved(notes: ProviderHealth, target: State, because: str, scope: str | None = None) -> None:
    """Let a breaker of openai change its state."""
    notes.transitioned(Transitioned("openai", State.CLOSED, target, because, trip=False, scope=scope))


def test_a_breaker_has_the_cause_of_its_last_move() -> None:
    """None before the first one, and of another provider."""
    notes = Desk().notes
    assert notes.because("openai", None, State.CLOSED) is None
    moved(notes, State.OPEN, "5 failures in 10 s, last 503")
    moved(notes, State.HALF_OPEN, "cooldown over")
    assert notes.because("openai", None, State.HALF_OPEN) == "cooldown over"
    assert notes.because("anthropic", None, State.CLOSED) is None


def test_of_several_the_gravest_has_the_word() -> None:
    """Each scope has its own cause; the provider's is the latest of those that are in its state."""
    notes = Desk().notes
    moved(notes, State.OPEN, "last 429", "gpt-5")
    moved(notes, State.OPEN, "last 503", "o3")
    moved(notes, State.HALF_OPEN, "cooldown over", "other")
    assert notes.because("openai", "gpt-5", State.OPEN) == "last 429"
    assert notes.because("openai", "gpt-4", State.CLOSED) is None
    assert notes.because("openai", None, State.OPEN) == "last 503"
    assert notes.because("openai", None, State.CLOSED) is None
