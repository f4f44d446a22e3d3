"""One try: a call on its way from a caller to the provider, and what either side hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aibridge_trio.core.breaker.permit import Permit
    from aibridge_trio.core.limits.concurrency import Lease
    from aibridge_trio.errors import Phase
    from aibridge_trio.simulate.scenario.demand import Wish
    from aibridge_trio.simulate.world.clients import Headers

# Where a call is at the provider.
OUTSIDE, QUEUED, SILENT, WORKING, STREAMING, GONE = range(6)


class Call:
    """One try of a wish; each room keeps what it must know about it in its own field."""

    __slots__ = ("begun", "caller", "end", "judged", "number", "over", "permit", "place", "sent", "stage", "wish")

    def __init__(self, wish: Wish, number: int, caller: Any = None) -> None:
        self.wish = wish
        self.number = number
        self.caller = caller  # who waits for it: the crowd's
        self.stage = OUTSIDE  # the provider's
        self.end = 0.0  # when its answer will be complete: the provider's
        self.sent = False  # whether it has gone up: the door's, as the next ones
        self.begun = False  # whether its caller has a first token
        self.over = False  # whether all of it has been given back
        self.judged = False  # whether its verdict is out, or can only be a relapse
        self.place: Lease | None = None  # the bridge's
        self.permit: Permit | Any = None  # the breaker's, whoever's that is

    def __repr__(self) -> str:
        return f"<Call {self.number} of a wish of caller {self.wish.caller}, stage {self.stage}>"


class CallListener(Protocol):
    """Who calls a provider, or a door, and is told what comes of it."""

    def first(self, call: Call) -> None:
        """The answer has begun: its first content is here."""

    def ended(self, call: Call) -> None:
        """The answer is complete."""

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """An error came as the whole answer; `exhausted` says that waiting never helps."""

    def broke(self, call: Call, phase: Phase) -> None:
        """There was no connection, or it broke."""

    def overloaded(self, call: Call) -> None:
        """The 200 ends with an error event: overloaded."""


class CallTarget(Protocol):
    """Who can be called."""

    def call(self, call: Call) -> None:
        """Begin to answer."""

    def left(self, call: Call) -> None:
        """Hear that nobody waits for it any more."""
