"""The body of an operator's override: `{"mode": "open", "for": "10m", "reason": "INC-12"}`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from aibridge_trio.config.units import SPAN, InvalidValue, show_duration
from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.breaker.overriding import LONGEST_OVERRIDE, LONGEST_REASON

_MEMBERS = ("mode", "for", "reason")


@dataclass(frozen=True, slots=True)
class OverrideOrder:
    """A mode for a provider's breakers, for so many `seconds` (infinity: until it is changed), and why."""

    mode: Mode
    seconds: float = math.inf
    reason: str = ""

    @property
    def words(self) -> str:
        """The order as text."""
        end = "" if self.seconds == math.inf else f" for {show_duration(self.seconds)}"
        return f"{self.mode}{end}{f': {self.reason}' if self.reason else ''}"


def read(body: bytes) -> OverrideOrder:
    """Read the body. Raises ValueError with a text for people.

    Members that it does not know are mistakes: with a misspelled `for` an override would have no end.
    """
    try:
        found = json.loads(body)
        mode = Mode(found["mode"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError('send {"mode": "open"}, {"mode": "close"} or {"mode": "auto"}') from None
    if unknown := set(found) - set(_MEMBERS):
        raise ValueError(f"send {', '.join(_MEMBERS)} and nothing else; there are {len(unknown)} other members")
    reason, lasting = found.get("reason") or "", found.get("for")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"the reason is one line of at most {LONGEST_REASON} printable characters")
    if lasting is None:
        return OverrideOrder(mode, reason=reason)
    if mode is Mode.AUTO:
        raise ValueError("auto has no end; send it without for")
    return OverrideOrder(mode, _seconds(lasting), reason)


def _seconds(lasting: object) -> float:
    try:
        seconds: float = SPAN.parse(lasting if isinstance(lasting, str) else "")
    except InvalidValue:
        raise ValueError('for is a duration with its unit, such as "10m"') from None
    if seconds > LONGEST_OVERRIDE:
        raise ValueError(f"for is at most {show_duration(LONGEST_OVERRIDE)}")
    return seconds
