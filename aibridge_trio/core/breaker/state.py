"""The states, modes and transitions of a breaker, its refusals and its statistics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final

from aibridge_trio.errors import OpenCause


class State(StrEnum):
    """The three states; `number` is the gauge's value."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"

    @property
    def number(self) -> int:
        """0 closed, 1 open, 2 half-open."""
        return list(State).index(self)


SEVERITY = (State.CLOSED, State.HALF_OPEN, State.OPEN)  # from healthy to failing


class Mode(StrEnum):
    """Automatic, or overridden by the operator: forced open, forced closed."""

    AUTO = "auto"
    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, and in words why (`because`); `trip` if failures opened the breaker."""

    source: State
    target: State
    because: str
    trip: bool


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """The request is refused: why, and after how many seconds to come back (None: unknown)."""

    because: OpenCause
    wait: float | None


@dataclass(frozen=True, slots=True)
class BreakerStats:
    """The breaker at one moment; `since` is when its state began, on the same clock as `now`.

    `cooldown` is all of the present one (seconds, None without one), `in_a_row` the trips without a healthy spell
    between them, `share` what the ramp admits (1 without one), `failure_share` the share of the judged calls in
    the window that failed (None without calls, and if the policy has none).
    """

    state: State
    mode: Mode
    since: float
    cooldown_left: float | None
    cooldown: float | None
    failures_in_window: int
    probes: int
    trips: int
    in_a_row: int = 0
    share: float = 1.0
    failure_share: float | None = None
