"""Several policies side by side: each has its own calls, and what they hold is added up."""

from __future__ import annotations

from typing import cast

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.policies.several import Several
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Engine
from tests.support.simulated import CALLERS, a_request, parsed


class Noted(Policy):
    """Notes its events."""

    def __init__(self, clock: Engine, measure: Measure, state: str) -> None:
        super().__init__(clock, measure)
        self.noted: list[str] = []
        self._state = state

    @property
    def state(self) -> str:
        return self._state

    @property
    def waiting(self) -> int:
        return 2

    @property
    def held(self) -> int:
        return 3

    def call(self, call: Call) -> None:
        self.noted.append("call")

    def cancel(self, call: Call) -> None:
        self.noted.append("cancel")

    def head(self, call: Call, headers: object) -> None:
        self.noted.append("head")

    def first_token(self, call: Call) -> None:
        self.noted.append("first")

    def completed(self, call: Call) -> None:
        self.noted.append("completed")

    def answered(self, call: Call, status: int, headers: object, *, exhausted: bool = False) -> None:
        self.noted.append(f"{status} {exhausted}")

    def broke(self, call: Call, phase: str) -> None:
        self.noted.append(f"broke {phase}")

    def overloaded(self, call: Call) -> None:
        self.noted.append("overloaded")


class ByCaller(Several):
    """The policy is the caller's number."""

    def _of(self, call: Call) -> Policy:
        return self._policies[call.request.caller]


def test_each_event_goes_to_the_policy_of_its_call() -> None:
    """And states and sums are those of all."""
    given = parsed(CALLERS)
    clock, measure = Engine(), Measure(given)
    policies = [Noted(clock, measure, "closed"), Noted(clock, measure, "open")]
    several = ByCaller(clock, measure, cast(list[Policy], policies))
    call = Call(a_request(given, caller=1), 0)
    several.call(call)
    several.head(call, ())
    several.first_token(call)
    several.completed(call)
    several.answered(call, 429, (), exhausted=True)
    several.broke(call, "stream")
    several.overloaded(call)
    several.cancel(call)
    assert policies[0].noted == []
    assert policies[1].noted == [
        *("call", "head", "first", "completed", "429 True", "broke stream", "overloaded", "cancel")
    ]
    assert (several.state, several.waiting, several.held) == ("open", 4, 6)
