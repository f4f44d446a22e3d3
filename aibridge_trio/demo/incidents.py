"""The incidents of the demo: what happens to both mock providers, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aibridge_trio.mock import MockOptions

SLOTS = 12
CALLERS = 12
HEALTHY = MockOptions(slots=SLOTS, latency=0.3, tokens=8, tokens_per_second=16)
# Requests per second: half of what the slots can answer.
RATE = 0.5 * SLOTS / (HEALTHY.latency + HEALTHY.tokens / HEALTHY.tokens_per_second)
# How long a caller waits for its first token: so many seconds, or this share of a longer demo.
_PATIENCE, _PATIENCE_SHARE = 20.0, 2 / 3


@dataclass(frozen=True, slots=True)
class Incident:
    """What the providers are like for a share of the demo's time."""

    name: str
    about: str
    share: float
    options: MockOptions


COURSE = (
    Incident("calm", f"both providers answer {SLOTS} requests at once, beyond that 503", 0.15, HEALTHY),
    Incident("brownout", f"both answer {SLOTS // 4} at once", 0.2, replace(HEALTHY, slots=SLOTS // 4)),
    Incident("outage", "both answer 503 to every request", 0.2, replace(HEALTHY, fail=((503, 1.0),))),
    Incident("back", f"both answer {SLOTS} at once again", 0.45, HEALTHY),
)


def patience(seconds: float) -> float:
    """Return how long a caller waits for its first token in a demo of `seconds`: longer than its incidents."""
    return max(_PATIENCE, _PATIENCE_SHARE * seconds)


def incident_at(share: float) -> Incident:
    """Return the incident at a time, as a share of the demo's."""
    end = 0.0
    for incident in COURSE:
        end += incident.share
        if share < end:
            return incident
    return COURSE[-1]
