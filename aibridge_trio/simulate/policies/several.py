"""Several policies side by side, each with the calls that it is given."""

from __future__ import annotations

from collections.abc import Sequence

from aibridge_trio.errors import Phase
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call, CallListener
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.providers import Providers


class Several(Policy):
    """Gives each call and its events to the policy that `_of` returns."""

    def __init__(self, clock: Clock, measure: Measure, policies: Sequence[Policy]) -> None:
        super().__init__(clock, measure)
        self._policies = policies

    def connect(self, callers: CallListener, providers: Providers) -> None:
        """Connect each policy with all callers and providers."""
        for policy in self._policies:
            policy.connect(callers, providers)

    @property
    def state(self) -> str:
        """The state of the first policy that is not closed, else of the first."""
        states = [policy.state for policy in self._policies]
        return next((state for state in states if state not in ("", "closed")), states[0])

    @property
    def waiting(self) -> int:
        """How many calls are queued, in all."""
        return sum(policy.waiting for policy in self._policies)

    @property
    def held(self) -> int:
        """How many slots are held, in all."""
        return sum(policy.held for policy in self._policies)

    def call(self, call: Call) -> None:
        """Take a caller's call."""
        self._of(call).call(call)

    def cancel(self, call: Call) -> None:
        """Cancel a call whose caller has gone."""
        self._of(call).cancel(call)

    def head(self, call: Call, headers: Headers) -> None:
        """Pass the head's quota on."""
        self._of(call).head(call, headers)

    def first_token(self, call: Call) -> None:
        """Pass the first token on."""
        self._of(call).first_token(call)

    def completed(self, call: Call) -> None:
        """Pass the end on."""
        self._of(call).completed(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Pass an error on."""
        self._of(call).answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Pass a break on."""
        self._of(call).broke(call, phase)

    def overloaded(self, call: Call) -> None:
        """Pass an error event on."""
        self._of(call).overloaded(call)

    def _of(self, call: Call) -> Policy:
        """Return the policy that has this call."""
        raise NotImplementedError
