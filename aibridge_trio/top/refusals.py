"""The list of the latest refused requests, and the explanation of one: what keys do there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}


@dataclass(frozen=True, slots=True)
class Refusals:
    """The list: its `requests`, the latest first, and the `place` of the chosen one.

    `opened` are the lines of the one that is open, () for none; `said` is a line in place of a list.
    """

    requests: Sequence[Mapping[str, Any]] = ()
    place: int = 0
    opened: Sequence[str] = ()
    said: str = "asking the bridge"


def press(refusals: Refusals, key: str) -> tuple[Refusals | None, str | None]:
    """Return the list after a key, None if it is left; and the id of the request that is to be opened."""
    if refusals.opened:
        return (replace(refusals, opened=()) if key in ("escape", "enter", "q", "e") else refusals), None
    if key in ("escape", "q", "e"):
        return None, None
    if not refusals.requests:
        return refusals, None
    if key in _STEPS:
        place = min(max(refusals.place + _STEPS[key], 0), len(refusals.requests) - 1)
        return replace(refusals, place=place), None
    if key == "enter":
        return refusals, str(refusals.requests[refusals.place].get("request_id"))
    return refusals, None
