from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.core.breaker.breaker import Mode, State
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict
from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.events import Event, Judged, Transitioned
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.circuit import Circuit

OVERLOAD = Evidence(Verdict.FAILURE, "503", overload=True)


class Lab:
    """A circuit and its events."""

    def __init__(self, policy: BreakerPolicy | None, clock: Callable[[], float] = trio.current_time) -> None:
        self.events: list[Event] = []
        self.circuit = Circuit("openai", policy, clock, self.events.append)

    def settle(self, *evidence: Evidence) -> None:
        with self.circuit.admit() as attempt:
            attempt.acquire()
            for one in evidence:
                attempt.report(one)

    def trip(self) -> None:
        for _ in range(5):
            self.settle(OVERLOAD)
        assert self.state is State.OPEN

    @property
    def state(self) -> State:
        return self.circuit.statistics().state

    @property
    def path(self) -> list[str]:
        return [event.target for event in self.events if isinstance(event, Transitioned)]

    @property
    def verdicts(self) -> list[str]:
        return [event.verdict for event in self.events if isinstance(event, Judged)]


def broken_after(attempt: Attempt, evidence: Evidence) -> NoReturn:
    """Do as a stream does that shows evidence and then breaks."""
    attempt.report(evidence)
    raise UpstreamFault("stream", "reset")


async def silence(seconds: float) -> NoReturn:
    """Do as an upstream does that never answers."""
    await trio.sleep(seconds)
    raise UpstreamFault("head", "deadline", timeout=True)


@pytest.fixture
async def lab(nursery: trio.Nursery) -> Lab:
    """A circuit with breakers on and its timer running; for virtual time the test takes `autojump_clock`."""
    lab = Lab(BreakerPolicy())
    nursery.start_soon(lab.circuit.run)
    return lab


# --- The timer


async def test_the_timer_ends_the_cooldown_without_traffic(lab: Lab, autojump_clock: MockClock) -> None:
    """Without any request, open becomes half-open exactly at the end of the cooldown."""
    await trio.sleep(3)
    lab.trip()
    await trio.sleep(29.75)
    assert lab.path == ["open"]
    await trio.sleep(0.25)
    await wait_all_tasks_blocked()
    assert lab.path == ["open", "half-open"]


async def test_the_timer_expires_hung_probes(lab: Lab, autojump_clock: MockClock) -> None:
    """Probes that hang give their permits back by the timer alone."""
    lab.trip()
    await trio.sleep(30)

    async def hang() -> None:
        with lab.circuit.admit() as attempt:
            attempt.acquire()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(hang)
        await wait_all_tasks_blocked()
        assert lab.circuit.statistics().probes == 3
        await trio.sleep(30)
        await wait_all_tasks_blocked()
        assert len(lab.circuit.breaker._probes) == 0
        nursery.cancel_scope.cancel()
    assert lab.path == ["open", "half-open"]


async def test_the_timer_starts_anew_after_each_trip(lab: Lab, autojump_clock: MockClock) -> None:
    """Any number of cooldowns end by themselves."""
    for _ in range(3):
        while lab.state is not State.OPEN:
            lab.settle(OVERLOAD)
        await trio.sleep(lab.circuit.statistics().cooldown_left or 0)
        await wait_all_tasks_blocked()
    assert lab.path == ["open", "half-open"] * 3


async def test_the_timer_of_an_overridden_cooldown_is_off(lab: Lab, autojump_clock: MockClock) -> None:
    """A cooldown that the operator ended has no timer."""
    lab.trip()
    await trio.sleep(1)
    lab.circuit.override(Mode.OPEN)
    await trio.sleep(3600)
    assert lab.path == ["open"]
    assert lab.state is State.OPEN


async def test_the_timer_sleeps_until_something_is_due(
    lab: Lab, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is polled: the timer wakes when something changes or is due, and not in between."""
    lab.trip()
    await wait_all_tasks_blocked()
    rings: list[float] = []
    monkeypatch.setattr(lab.circuit.breaker, "advance", rings.append)
    await trio.sleep(29.75)
    assert rings == []
    monkeypatch.undo()
    await trio.sleep(1000)
    assert lab.path == ["open", "half-open"]


# --- Attempt


async def test_a_hold_gives_back_neutral_in_its_exit(lab: Lab, autojump_clock: MockClock) -> None:
    """An attempt without evidence ends as neutral, once."""
    lab.settle()
    assert lab.events == [Judged("openai", Verdict.NEUTRAL)]


async def test_probes_that_say_nothing_are_given_back(lab: Lab, autojump_clock: MockClock) -> None:
    """In half-open any number of attempts may end without a verdict: each frees its permit."""
    lab.trip()
    await trio.sleep(30)
    for _ in range(10):
        with lab.circuit.admit() as attempt:
            attempt.acquire()
            assert lab.circuit.statistics().probes == 1
    assert lab.circuit.statistics().probes == 0
    assert lab.state is State.HALF_OPEN


@pytest.mark.parametrize("timeout", [False, True])
async def test_a_fault_is_a_failure(lab: Lab, autojump_clock: MockClock, timeout: bool) -> None:
    """An upstream fault on the way out is a failure, and goes on its way."""
    for _ in range(5):
        with pytest.raises(UpstreamFault), lab.circuit.admit():
            raise UpstreamFault("connect", "refused", timeout=timeout)
    assert lab.verdicts == ["failure"] * 5
    assert lab.path == ["open"]
    with pytest.raises(CircuitOpen, match="due to upstream failures"), lab.circuit.admit():
        pass


async def test_any_other_exception_is_neutral(lab: Lab, autojump_clock: MockClock) -> None:
    """A bug of the bridge or a reject is neutral."""
    with pytest.raises(ValueError), lab.circuit.admit():
        raise ValueError
    assert lab.verdicts == ["neutral"]


async def test_a_fault_after_a_success_is_a_relapse(lab: Lab, autojump_clock: MockClock) -> None:
    """A stream that began well and broke is a success and then a failure."""
    with pytest.raises(UpstreamFault), lab.circuit.admit() as attempt:
        broken_after(attempt, SUCCESS)
    assert lab.verdicts == ["success", "failure"]
    assert lab.circuit.statistics().failures_in_window == 1


async def test_a_relapse_passes_once(lab: Lab, autojump_clock: MockClock) -> None:
    """However often a request fails after its success, it is one failure."""
    lab.settle(SUCCESS, OVERLOAD, OVERLOAD, OVERLOAD)
    assert lab.verdicts == ["success", "failure"]
    assert lab.circuit.statistics().failures_in_window == 1


@pytest.mark.parametrize("first", [NEUTRAL, OVERLOAD])
async def test_the_first_evidence_counts(lab: Lab, autojump_clock: MockClock, first: Evidence) -> None:
    """After a neutral or a failure later evidence does not count."""
    lab.settle(first, SUCCESS, OVERLOAD, NEUTRAL)
    assert lab.verdicts == [first.verdict]


async def test_no_evidence_is_not_heard(lab: Lab, autojump_clock: MockClock) -> None:
    """None is no evidence: what comes after it still counts."""
    with lab.circuit.admit() as attempt:
        attempt.report(None)
        assert attempt.verdict is None
        attempt.report(SUCCESS)
        attempt.report(None)
    assert lab.verdicts == ["success"]


async def test_a_cancelled_request_is_neutral(lab: Lab, autojump_clock: MockClock) -> None:
    """When a caller leaves before a verdict, the attempt is neutral, and its permit is free at once."""
    lab.trip()
    await trio.sleep(30)
    for _ in range(5):
        with trio.move_on_after(1), lab.circuit.admit() as attempt:
            attempt.acquire()
            assert lab.circuit.statistics().probes == 1
            await trio.sleep_forever()
        assert lab.circuit.statistics().probes == 0
    assert lab.verdicts[5:] == ["neutral"] * 5
    assert lab.state is State.HALF_OPEN


async def test_a_cancelled_request_keeps_its_verdict(lab: Lab, autojump_clock: MockClock) -> None:
    """A caller that leaves after the verdict does not change it."""
    with trio.move_on_after(1), lab.circuit.admit() as attempt:
        attempt.report(OVERLOAD)
        await trio.sleep_forever()
    assert lab.verdicts == ["failure"]


async def test_a_hung_probe_may_still_fail(lab: Lab, autojump_clock: MockClock) -> None:
    """A probe that ran out of time runs on; when it breaks, the circuit opens again."""
    lab.trip()
    await trio.sleep(30)
    attempt = lab.circuit.admit()
    attempt.acquire()
    with pytest.raises(UpstreamFault), attempt:
        await silence(100)
    assert lab.path == ["open", "half-open", "open"]


async def test_a_slow_probe_may_still_succeed(lab: Lab, autojump_clock: MockClock) -> None:
    """Three answers of 45 s close it, though each has given its permit back after 30."""
    lab.trip()
    await trio.sleep(30)

    async def answer() -> None:
        with lab.circuit.admit() as attempt:
            attempt.acquire()
            await trio.sleep(45)
            attempt.report(SUCCESS)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(answer)
    assert lab.path == ["open", "half-open", "closed"]


# --- A permit only for what is whole


async def test_an_unfinished_request_holds_no_permit(lab: Lab, autojump_clock: MockClock) -> None:
    """Any number may begin in half-open; the first three that are whole probe, the next are refused."""
    lab.trip()
    await trio.sleep(30)
    attempts = [lab.circuit.admit() for _ in range(10)]
    assert lab.circuit.statistics().probes == 0
    for attempt in attempts[:3]:
        attempt.acquire()
        attempt.acquire()  # once
    assert lab.circuit.statistics().probes == 3
    with pytest.raises(CircuitOpen) as caught, attempts[3] as refused:
        refused.acquire()
    assert caught.value.wait == 1.0
    assert refused.verdict is None
    assert lab.verdicts == ["failure"] * 5


async def test_what_opened_meanwhile_refuses_what_becomes_whole(lab: Lab, autojump_clock: MockClock) -> None:
    """An upload that began while it was closed is refused at its end if it is open by then."""
    attempt = lab.circuit.admit()
    lab.trip()
    await trio.sleep(10)
    with pytest.raises(CircuitOpen) as caught, attempt:
        attempt.acquire()
    assert caught.value.wait == 20.0


async def test_what_is_being_answered_is_not_refused(lab: Lab, autojump_clock: MockClock) -> None:
    """An upload that is being answered is not refused at its end."""
    attempt = lab.circuit.admit()
    attempt.response_started([])
    lab.trip()
    with attempt:
        attempt.acquire()
        attempt.report(SUCCESS)
    assert lab.verdicts[-1] == "success"
    assert lab.state is State.OPEN


@pytest.mark.parametrize(("others", "path"), [(0, ["open", "half-open", "open"]), (3, ["open", "half-open"])])
async def test_a_failure_before_it_is_whole_counts_if_there_is_a_permit(
    lab: Lab, autojump_clock: MockClock, others: int, path: list[str]
) -> None:
    """A 503 to half an upload fails a probe; if no probe is free, it changes nothing."""
    lab.trip()
    await trio.sleep(30)
    early = lab.circuit.admit()
    for attempt in [lab.circuit.admit() for _ in range(others)]:
        attempt.acquire()
    with early:
        early.report(OVERLOAD)
        early.acquire()
    assert lab.path == path
    assert lab.circuit.statistics().probes == others * (len(path) == 2)


async def test_neutral_words_before_it_is_whole_take_nothing(lab: Lab, autojump_clock: MockClock) -> None:
    """A 413 to half an upload is no probe."""
    lab.trip()
    await trio.sleep(30)
    with lab.circuit.admit() as attempt:
        attempt.report(NEUTRAL)
        attempt.acquire()
        assert lab.circuit.statistics().probes == 0
    assert lab.verdicts[5:] == ["neutral"]


async def test_early_failures_open_it(lab: Lab, autojump_clock: MockClock) -> None:
    """Failures of unfinished uploads count in the window; stale ones do not reopen the breaker."""
    late = lab.circuit.admit()
    for _ in range(5):
        with lab.circuit.admit() as attempt:
            attempt.report(OVERLOAD)
    assert lab.path == ["open"]
    with late:
        late.report(OVERLOAD)
    assert lab.circuit.statistics().trips == 1


async def test_a_ramp_gives_each_request_one_share(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """The ramp applies once: at the ticket, or at the permit if the ticket is older than the ramp."""
    lab = Lab(BreakerPolicy(ramp=30.0))
    lab.trip()
    await trio.sleep(30)
    begun = [lab.circuit.admit() for _ in range(20)]
    for _ in range(3):
        lab.settle(SUCCESS)
    assert lab.state is State.CLOSED

    def through(*attempts: Attempt) -> int:
        count = 0
        for attempt in attempts:
            with suppress(CircuitOpen):
                attempt.acquire()
                count += 1
        return count

    assert through(*begun) == 2  # a tenth of twenty
    admitted = []
    for _ in range(20):
        try:
            admitted.append(lab.circuit.admit())
        except CircuitOpen:
            continue
    assert len(admitted) == 2
    assert through(*admitted) == 2


async def test_in_shadow_a_late_refusal_is_counted_and_let_through(autojump_clock: MockClock) -> None:
    """In shadow a refusal is counted once for each request, early or late."""
    lab = Lab(BreakerPolicy())
    lab.circuit = Circuit("openai", BreakerPolicy(), trio.current_time, lab.events.append, shadow=True)
    would: list[str] = []
    late = lab.circuit.admit(would_reject=would.append)
    lab.trip()
    with late:
        late.acquire()
        late.report(SUCCESS)
    assert would == ["circuit_open"]
    with lab.circuit.admit(would_reject=would.append) as early:
        early.acquire()
    assert would == ["circuit_open"] * 2
    assert lab.path == ["open"]


# --- Refusals


async def test_refusals_name_provider_and_wait(lab: Lab, autojump_clock: MockClock) -> None:
    """A reject names the provider and the cause, and has the rest of the cooldown as its wait."""
    lab.trip()
    await trio.sleep(10)
    with pytest.raises(
        CircuitOpen, match=r"^openai is currently unavailable due to upstream rate limiting"
    ) as caught:
        lab.circuit.admit().__enter__()
    assert caught.value.wait == 20.0


async def test_a_refused_request_is_not_judged(lab: Lab, autojump_clock: MockClock) -> None:
    """The bridge's own reject is no verdict."""
    lab.trip()
    lab.events.clear()
    with pytest.raises(CircuitOpen), lab.circuit.admit():
        pytest.fail("admitted while open")
    assert lab.circuit.refusal() is not None
    assert lab.events == []


async def test_who_does_not_vote_passes_in_half_open(lab: Lab, autojump_clock: MockClock) -> None:
    """A request without a permit is refused only while open."""
    assert lab.circuit.refusal() is None
    lab.trip()
    assert isinstance(lab.circuit.refusal(), CircuitOpen)
    await trio.sleep(30)
    assert lab.circuit.refusal() is None
    assert lab.circuit.statistics().probes == 0


# --- Events


async def test_events_are_told_once_and_in_order(lab: Lab, autojump_clock: MockClock) -> None:
    """Verdict before transition, each once; overrides after the transition that they bring."""
    lab.trip()
    await trio.sleep(30)
    for _ in range(3):
        lab.settle(SUCCESS)
    lab.circuit.override(Mode.OPEN)
    lab.circuit.override(Mode.OPEN)
    judged, succeeded = Judged("openai", Verdict.FAILURE), Judged("openai", Verdict.SUCCESS)
    closed, opened, half = State.CLOSED, State.OPEN, State.HALF_OPEN
    assert lab.events == [
        *[judged] * 5,
        Transitioned("openai", closed, opened, "5 failures in 10 s, last 503", trip=True),
        Transitioned("openai", opened, half, "cooldown over", trip=False),
        *[succeeded] * 3,
        Transitioned("openai", half, closed, "3 of 3 probes succeeded", trip=False),
        Transitioned("openai", closed, opened, "operator: open", trip=False),
    ]


async def test_many_tasks_trip_it_once(lab: Lab, autojump_clock: MockClock) -> None:
    """A hundred requests that fail together are one trip, with one event."""

    async def request() -> None:
        with lab.circuit.admit() as attempt:
            await trio.sleep(12)  # longer than the window
            attempt.report(OVERLOAD)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(request)
    assert lab.path == ["open"]
    assert lab.circuit.statistics().trips == 1
    assert lab.verdicts == ["failure"] * 100


async def test_many_tasks_probe_no_more_than_allowed(lab: Lab, autojump_clock: MockClock) -> None:
    """When a crowd finds it half-open, three of them probe and the others are refused with one second."""
    lab.trip()
    await trio.sleep(30)
    admitted, waits = 0, []

    async def request() -> None:
        nonlocal admitted
        try:
            with lab.circuit.admit() as attempt:
                attempt.acquire()
                admitted += 1
                await trio.sleep(5)
        except CircuitOpen as refused:
            waits.append(refused.wait)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(request)
    assert admitted == 3
    assert waits == [1.0] * 97


# --- Off


async def test_off_lets_all_through_and_still_counts(autojump_clock: MockClock) -> None:
    """Without a policy no request is refused, nothing trips, and verdicts are published."""
    lab = Lab(None)
    assert not lab.circuit.enabled
    for _ in range(100):
        with pytest.raises(UpstreamFault), lab.circuit.admit():
            raise UpstreamFault("connect", "refused")
    lab.settle(SUCCESS)
    lab.settle()
    assert lab.circuit.refusal() is None
    assert lab.state is State.CLOSED
    assert lab.path == []
    assert lab.verdicts == ["failure"] * 100 + ["success", "neutral"]


def test_a_repr_tells_the_state() -> None:
    """A circuit's representation has its provider, scope and state."""
    lab = Lab(BreakerPolicy(), lambda: 0.0)
    assert repr(lab.circuit) == "<Circuit openai <Breaker closed mode=auto generation=0>>"


def test_a_hold_without_a_judge_hears_nothing() -> None:
    """An attempt without a circuit has no verdict."""
    attempt = Attempt(None)
    attempt.report(SUCCESS)
    assert attempt.verdict is None
