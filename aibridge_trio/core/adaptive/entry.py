"""One request on its way through the adaptive limiter, and what a provider says in place of an answer."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Pushback(NamedTuple):
    """A provider's refusal without any part of an answer.

    `cause` is a status or an error code. `quota`: it may be about a rate (429). `retry_after` is the provider's
    retry hint in seconds, None without one.
    """

    cause: str
    quota: bool = False
    retry_after: float | None = None


class Stage(Enum):
    """Where a request is."""

    OUTSIDE = "outside"
    HELD = "held"
    STARTING = "starting"
    ANSWERING = "answering"


@dataclass(slots=True, eq=False, repr=False)
class Entry:
    """One request: held in the line, or at the provider.

    `key` identifies a caller's own key at the provider, None for a central one. `came` is when the request came,
    and `deadline` when its hold must end, in seconds. `size` is what it takes of a quota of tokens, estimated (0:
    unknown). `low` is its caller's priority: it is served behind others. The limiter sets the rest: `level` is
    the level at which it was sent, at `sent_at`; `returns` is how often it
    was pushed back; `not_before` is when it may be sent again.
    """

    caller: Hashable
    key: Hashable = None
    came: float = 0.0
    deadline: float = math.inf
    size: float = 0.0
    low: bool = False
    stage: Stage = Stage.OUTSIDE
    level: int = 0
    sent_at: float = 0.0
    returns: int = 0
    not_before: float = 0.0

    def __repr__(self) -> str:
        return f"<Entry {self.stage.value}>"
