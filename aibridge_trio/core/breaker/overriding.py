"""An operator's override of a provider's breakers: its mode, reason and end. Pure: `now` is a parameter (seconds).

1. A new override replaces the present one, its end and its reason too; `auto` ends it.
2. At its end the mode is `auto` again. An override without an end lasts until the next one.
3. What is set anew just as it is changes nothing: the same mode and reason, both without an end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aibridge_trio.core.breaker.state import Mode

# The longest reason (characters), and the longest time after which an override ends by itself (seconds: 30 days).
LONGEST_REASON = 200
LONGEST_OVERRIDE = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Override:
    """One override, from `since` until `until` (seconds; infinity without an end).

    `reason` is the operator's text, "" without one; `by` the address of the operator, None if it has none.
    """

    mode: Mode
    since: float
    until: float = math.inf
    reason: str = ""
    by: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it lasts in all; None without an end."""
        return round(self.until - self.since, 3) if self.until < math.inf else None


class Overriding:
    """The present override, None if the breakers decide."""

    def __init__(self) -> None:
        self.present: Override | None = None

    def set(self, override: Override, now: float) -> bool:
        """Replace the present override; return whether this changes anything. Raises ValueError for bad values."""
        if len(override.reason) > LONGEST_REASON or not override.reason.isprintable():
            raise ValueError(f"a reason has at most {LONGEST_REASON} printable characters")
        if now + LONGEST_OVERRIDE < override.until < math.inf:
            raise ValueError("an override that ends lasts at most 30 days")
        self.advance(now)
        before = self.present
        self.present = override if override.mode is not Mode.AUTO and now < override.until else None
        if before is None or self.present is None:
            return before is not self.present
        same = (before.mode, before.reason, before.until) == (override.mode, override.reason, override.until)
        return not same

    def advance(self, now: float) -> Override | None:
        """End the present override if it is due, and return it then."""
        ended = self.present
        if ended is None or now < ended.until:
            return None
        self.present = None
        return ended

    def next_due(self) -> float:
        """Return when the present override ends; infinity if there is none, or if it has no end."""
        return self.present.until if self.present else math.inf

    def __repr__(self) -> str:
        return f"<Overriding {self.present.mode if self.present else Mode.AUTO}>"
