"""The incidents: a provider with a capacity, and what happens to it while requests come.

Incidents of minutes are scaled down to seconds, and so is how long callers wait. Clients retry at their real pace,
because gateways ask them for waits in real seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How the provider answers: a first token after this time, then tokens at a steady rate (seconds, tokens).
FIRST_TOKEN, TOKENS, TOKENS_PER_SECOND = 0.3, 20, 40.0
SLOTS = 10
# Seconds for which a caller waits for its first token; then it leaves.
PATIENCE = 10.0
CALLERS = 12
_SERVICE = {"latency": FIRST_TOKEN, "tokens": TOKENS, "tokens_per_second": TOKENS_PER_SECOND}
# Requests per second that the slots can answer.
CAPACITY = SLOTS / (FIRST_TOKEN + TOKENS / TOKENS_PER_SECOND)
# The mock's options without an incident; each incident starts from these.
_HEALTHY: Mapping[str, Any] = {
    "fail": {},
    "slots": SLOTS,
    "when_full": None,
    "requests_per_minute": 0,
    "quota_burst": 2,
    **_SERVICE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is different from a healthy provider from the start on, and at which times that changes (seconds).

    Requests come at `rate` per second for `seconds`. Options are those of the mock's control endpoint.
    """

    name: str
    about: str
    rate: float
    seconds: float
    options: Mapping[str, Any]
    changes: tuple[tuple[float, Mapping[str, Any]], ...] = ()

    @property
    def start(self) -> Mapping[str, Any]:
        """All options at the start."""
        return {**_HEALTHY, **self.options}


INCIDENTS = (
    Incident(
        name="overload",
        about=f"{SLOTS} slots, requests at twice what they can answer; 503 beyond the slots",
        rate=2 * CAPACITY,
        seconds=14.0,
        options={},
    ),
    Incident(
        name="outage",
        about=f"{SLOTS} slots, requests at 0.7 times what they can answer; 503 to all from 4 s to 10 s",
        rate=0.7 * CAPACITY,
        seconds=16.0,
        options={},
        changes=((4.0, {"fail": {"503": 1}}), (10.0, {"fail": {}})),
    ),
    Incident(
        name="quota",
        about="a central key with 300 requests per minute, requests at twice that; 429 beyond it",
        rate=2 * 300 / 60,
        seconds=14.0,
        options={"slots": 0, "requests_per_minute": 300},
    ),
)
