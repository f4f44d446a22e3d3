"""Callers issue requests, retry as their clients do, and leave when their patience ends."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.callers import Callers
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Engine
from tests.support.simulated import a_request, parsed

SCENARIO = """
duration = "2m"
[[callers]]
count = 1
requests_per_minute = 1
patience = "30s"
client = "{client}"
"""


class Target:
    """Takes calls and answers none; records when calls came and when they were cancelled."""

    def __init__(self, clock: Engine) -> None:
        self.clock = clock
        self.calls: list[Call] = []
        self.times: list[float] = []
        self.cancelled: list[tuple[float, Call]] = []

    def call(self, call: Call) -> None:
        self.calls.append(call)
        self.times.append(round(self.clock.now, 3))

    def cancel(self, call: Call) -> None:
        self.cancelled.append((self.clock.now, call))


class Refusing(Target):
    """Answers every call at once with a status and headers."""

    def __init__(self, clock: Engine, status: int, headers: Headers = ()) -> None:
        super().__init__(clock)
        self.status, self.headers = status, headers
        self.callers: Callers | None = None

    def call(self, call: Call) -> None:
        super().call(call)
        assert self.callers
        self.callers.answered(call, self.status, self.headers)


def play(target: Target, engine: Engine, client: str = "openai-python") -> Outcome:
    """Let one caller issue one request, five seconds after the start."""
    scenario = parsed(SCENARIO.format(client=client))
    measure = Measure(scenario)
    callers = Callers([a_request(scenario, born=5.0)], engine, measure)
    callers.target = target
    if isinstance(target, Refusing):
        target.callers = callers
    engine.run()
    return measure.outcome("x")


def test_a_caller_leaves_when_its_patience_ends() -> None:
    """A request without an answer is cancelled after 30 s, and counted once."""
    engine = Engine()
    target = Target(engine)
    outcome = play(target, engine)
    assert target.times == [5.0]
    assert target.cancelled == [(35.0, target.calls[0])]
    assert (outcome.wanted, outcome.left, outcome.served, outcome.gave_up) == (1, 1, 0, 0)


def test_a_caller_retries_after_the_wait_of_the_answer() -> None:
    """The client's number of retries, each after Retry-After, and each with its own attempt number."""
    engine = Engine()
    target = Refusing(engine, 503, [(b"retry-after", b"3")])
    outcome = play(target, engine)
    assert target.times == [5.0, 8.0, 11.0]
    assert [call.attempt for call in target.calls] == [0, 1, 2]
    assert (outcome.gave_up, outcome.tries) == (1, 3)
    assert target.cancelled == []


def test_a_client_that_starts_over_counts_its_attempts_through() -> None:
    """Codex retries a 429 five times, and no two attempts have the same number."""
    engine = Engine()
    target = Refusing(engine, 429, [(b"retry-after", b"1")])
    outcome = play(target, engine, "codex")
    assert target.times == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert [call.attempt for call in target.calls] == [0, 1, 2, 3, 4, 5]
    assert (outcome.gave_up, outcome.tries) == (1, 6)


def test_a_client_that_starts_over_has_all_its_retries_again() -> None:
    """Codex sends a request that gets 503 five times, and that six times over."""
    engine = Engine()
    target = Refusing(engine, 503)
    outcome = play(target, engine, "codex")
    assert [call.attempt for call in target.calls] == list(range(30))
    assert (outcome.gave_up, outcome.tries) == (1, 30)


def test_a_retry_beyond_the_patience_is_not_made() -> None:
    """A wait of 100 s is longer than 30 s of patience: the request ends when these are over."""
    engine = Engine()
    target = Refusing(engine, 503, [(b"retry-after", b"100")])
    outcome = play(target, engine)
    assert target.times == [5.0]
    assert (outcome.left, outcome.gave_up) == (1, 0)
    assert engine.now == 35.0


@pytest.mark.parametrize(("client", "attempts"), [("none", 1), ("codex", 6)])
def test_a_broken_stream_is_retried_as_often_as_the_client_does(client: str, attempts: int) -> None:
    """After the first token only clients with retries of streams call again."""

    class Breaking(Refusing):
        def call(self, call: Call) -> None:
            Target.call(self, call)
            assert self.callers
            self.callers.first_token(call)
            self.callers.broke(call, "stream")

    engine = Engine()
    target = Breaking(engine, 0)
    outcome = play(target, engine, client)
    assert len(target.calls) == attempts
    assert outcome.gave_up == 1


def test_a_request_is_served_once() -> None:
    """A complete answer ends it, with the wait for its first token; its patience ends nothing afterwards."""

    class Answering(Refusing):
        def call(self, call: Call) -> None:
            Target.call(self, call)
            assert self.callers
            self.clock.at(self.clock.now + 2, self.callers.first_token, call)
            self.clock.at(self.clock.now + 50, self.callers.completed, call)

    engine = Engine()
    outcome = play(Answering(engine, 200), engine)
    assert (outcome.served, outcome.left, outcome.wait_p50) == (1, 0, 2.0)
