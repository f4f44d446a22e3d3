"""What replicas tell each other of a breaker's state: JSON types; times are seconds from that moment.

It comes from a store, which may hold anything: `read` takes nothing that is no state, bounds every number, and
ignores members that it does not know, so that a later version may add some.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from aibridge_trio.core.breaker.state import Mode, State

# No breaker has more trips in a row, longer times (seconds), or more to say (characters).
_MOST_TRIPS, _LONGEST, _LONGEST_TEXT, _LONGEST_ID = 1_000, 366 * 86_400.0, 300, 64


@dataclass(frozen=True, slots=True)
class SharedState:
    """The state of a breaker at one moment; `change` is the id of the transition or override that led to it.

    left      Seconds until its cooldown ends; None without one.
    overload  The provider itself had reported an overload.
    ramp      Seconds until all requests are admitted after an outage.
    because   Why, in words.
    override  The id of the operator's last override, and how many seconds ago that was; None without one.
    """

    change: str
    state: State
    mode: Mode
    left: float | None
    overload: bool
    in_a_row: int
    ramp: float
    because: str
    override: tuple[str, float] | None = None

    def value(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "change": self.change,
            "state": str(self.state),
            "mode": str(self.mode),
            "left": self.left,
            "overload": self.overload,
            "in_a_row": self.in_a_row,
            "ramp": self.ramp,
            "because": self.because[:_LONGEST_TEXT],
            "override": list(self.override) if self.override else None,
        }


def read(value: object) -> SharedState:
    """Read what a replica told; raises ValueError for what is no state of a breaker."""
    if not isinstance(value, dict):
        raise ValueError("no state of a breaker")  # noqa: TRY004 - of a message
    override = value.get("override")
    if override is not None:
        if not isinstance(override, list) or len(override) != 2:  # noqa: PLR2004 - id and time
            raise ValueError("no override")
        override = _text(override[0], _LONGEST_ID), _seconds(override[1])
    left, in_a_row = value.get("left"), value.get("in_a_row")
    if not isinstance(in_a_row, int) or isinstance(in_a_row, bool) or in_a_row < 0:
        raise ValueError("no trips")
    found = SharedState(
        change=_text(value.get("change"), _LONGEST_ID),
        state=State(str(value.get("state"))),
        mode=Mode(str(value.get("mode"))),
        left=None if left is None else _seconds(left),
        overload=value.get("overload") is True,
        in_a_row=min(in_a_row, _MOST_TRIPS),
        ramp=_seconds(value.get("ramp")),
        because=_text(value.get("because"), _LONGEST_TEXT),
        override=override,
    )
    forced = {Mode.OPEN: State.OPEN, Mode.CLOSE: State.CLOSED}.get(found.mode, found.state)
    if found.state is not forced or (found.state is State.OPEN and found.mode is Mode.AUTO and left is None):
        raise ValueError("no state that a breaker can have")
    return found


def _text(found: object, most: int) -> str:
    """Return a text without characters that a terminal or a log would not show as they are."""
    if not isinstance(found, str):
        raise ValueError("no text")  # noqa: TRY004 - of a message
    return "".join(each for each in found[:most] if each.isprintable())


def _seconds(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise ValueError("no time")
    return float(min(found, _LONGEST))
