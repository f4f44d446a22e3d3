"""What a governor has learned, as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GovernorStats:
    """What a governor has learned; infinity for no limit, None for nothing yet.

    `level` is how many requests are at the provider, and `starts` how many of them wait for their answer to begin.
    Unless `active` no pushback has come of late, and no quota is nearly spent. `bound` and `window` are in
    requests, `pace` is in requests a second, or in tokens if `by_tokens`; `background` is a share. `outage` tells
    whether one is under way, and `resumes_in` the seconds until the next start may go up. The last pushback is
    described by its `cause`, its `level` and its age `ago` in seconds.
    """

    active: bool
    level: int
    starts: int
    bound: float
    window: float
    pace: float
    by_tokens: bool
    background: float
    outage: bool
    resumes_in: float
    cause: str | None
    cause_level: int
    ago: float
