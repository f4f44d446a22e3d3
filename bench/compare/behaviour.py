"""The scripts and the reports of the scripted provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How requests are answered from now on.

    `service` is seconds until a unary answer, `slots` how many of them are worked on at once (0: any number, the
    others wait in line). A stream has `events`, `rate` of them a second (0: all at once), and then ends, or stays
    open in silence with `hold`.
    """

    service: float = 0.0
    slots: int = 0
    events: int = 1
    rate: float = 0.0
    hold: bool = False


@dataclass(slots=True)
class Counts:
    """What was done since the program started; times in seconds."""

    requests: int = 0
    answers: int = 0
    events: int = 0
    abandoned: int = 0
    stalled: int = 0
    busy: float = 0.0
    waiting: int = 0
