"""A breaker under test, and short ways to drive it."""

from __future__ import annotations

from aibridge_trio.core.breaker.breaker import Breaker, Refusal, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import Evidence, Verdict

OVERLOAD = Evidence(Verdict.FAILURE, "503", overload=True)
BROKEN = Evidence(Verdict.FAILURE, "no connection")
LONG = BreakerPolicy(cooldown=60.0)  # so that the 30 s of a probe's deadline show


# Whatever the provider's hint, and however often it trips, the cooldown is the configured one.
PLAIN = BreakerPolicy(longest_cooldown=0.0)


class Lab:
    """A breaker, its transitions, and what tests do with it."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self.policy = policy or PLAIN
        self.transitions: list[Transition] = []
        self.breaker = Breaker(self.policy, self.transitions.append)

    def admitted(self, now: float, caller: str | None = None) -> Permit:
        answer = self.breaker.admit(now, caller)
        assert isinstance(answer, Permit)
        return answer

    def refused(self, now: float, caller: str | None = None) -> Refusal:
        answer = self.breaker.admit(now, caller)
        assert isinstance(answer, Refusal)
        return answer

    def settle(self, permit: Permit, evidence: Evidence, now: float, retry_after: float | None = None) -> None:
        self.breaker.settle(permit, evidence, now, retry_after)

    def fail(self, *times: float, retry_after: float | None = None) -> None:
        for now in times:
            self.settle(self.admitted(now), OVERLOAD, now, retry_after)

    def meet(self, caller: str, evidence: Evidence, *times: float, retry_after: float | None = None) -> None:
        """Let a caller's requests show this, each at once."""
        for now in times:
            self.settle(self.admitted(now, caller), evidence, now, retry_after)

    def state(self, now: float) -> State:
        return self.breaker.statistics(now).state

    @property
    def path(self) -> list[str]:
        return [change.target for change in self.transitions]


def tripped(policy: BreakerPolicy | None = None, at: float = 0.0) -> Lab:
    """Return a breaker that has just opened."""
    lab = Lab(policy)
    lab.fail(*[at] * lab.policy.threshold)
    assert lab.path == ["open"]
    return lab


def half_open(policy: BreakerPolicy | None = None) -> tuple[Lab, float]:
    """Return a breaker that has just begun to probe, and when that is."""
    lab = tripped(policy)
    now = lab.policy.cooldown
    assert lab.state(now) is State.HALF_OPEN
    return lab, now
