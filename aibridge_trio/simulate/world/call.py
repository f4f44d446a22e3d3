"""One attempt: a call from a caller to the provider, and the events that either side receives about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aibridge_trio.simulate.world.randomness import uniform

if TYPE_CHECKING:
    from aibridge_trio.core.adaptive.entry import Entry
    from aibridge_trio.core.breaker.probe_permit import Permit
    from aibridge_trio.core.limits.lease import Lease
    from aibridge_trio.errors import Phase
    from aibridge_trio.simulate.scenario.demand import Request
    from aibridge_trio.simulate.world.clients import Headers

# Where a call is at the provider.
OUTSIDE, QUEUED, SILENT, WORKING, STREAMING, GONE = range(6)
# Between the random numbers of a call that is sent once more: clients make fewer attempts.
_RESENT = 1_000_003


class Call:
    """One attempt of a request. Callers, policy and provider each keep their own state of it in their fields."""

    __slots__ = (
        *("attempt", "begun", "caller", "counted_at", "end", "entry", "head", "judged", "lease"),
        *("permit", "released", "request", "sends", "sent", "stage"),
    )

    def __init__(self, request: Request, attempt: int, caller: Any = None) -> None:
        self.request = request
        self.attempt = attempt
        self.caller = caller  # the callers': the request's state
        self.stage = OUTSIDE  # the provider's
        self.end = 0.0  # when its answer will be complete: the provider's
        self.head: Headers = ()  # what its answer says of the quota: the provider's
        self.sends = 0  # how often it went to the provider: the provider's
        self.sent = False  # whether it went to the provider: the policy's, like all below
        self.begun = False  # whether its caller received the first token
        self.counted_at: float | None = None  # when a store counted it, if one did
        self.released = False  # whether all that it held has been given back
        self.judged = False  # whether a verdict was recorded
        self.lease: Lease | None = None
        self.entry: Entry | None = None
        self.permit: Permit | Any = None

    def chance(self, purpose: int) -> float:
        """Return the random number for a decision about the call: another one each time that it is sent."""
        return uniform(self.request.seed, self.attempt + self.sends * _RESENT, purpose)

    def __repr__(self) -> str:
        return f"<Call {self.attempt} of a request of caller {self.request.caller}, stage {self.stage}>"


class CallListener(Protocol):
    """Receives the events of calls: callers those of a policy, a policy those of the provider."""

    def head(self, call: Call, headers: Headers) -> None:
        """The head of a 200 arrived, from a provider that tells its quota in headers."""

    def first_token(self, call: Call) -> None:
        """The answer has begun: its first content arrived."""

    def completed(self, call: Call) -> None:
        """The answer is complete."""

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """The whole answer is an error; `exhausted` means that waiting never helps."""

    def broke(self, call: Call, phase: Phase) -> None:
        """The connection failed or broke."""

    def overloaded(self, call: Call) -> None:
        """The 200 ends with an error event: overloaded."""


class CallTarget(Protocol):
    """Takes calls: a policy, or the provider."""

    def call(self, call: Call) -> None:
        """Begin to answer."""

    def cancel(self, call: Call) -> None:
        """Stop: the caller has gone."""
