"""A status document as frozen records: what `/status` says. Durations are seconds.

The defaults are those of older bridges, which do not tell so much: what is not told is off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """One of the breakers of a provider that has several: of an endpoint, or of a model.

    `left` is None unless it is open with an end, `cooldown` the whole of that. `share` is what a ramp
    admits, 0 to 1. `because` is why it is in this state, "" if that is not known.
    """

    name: str
    state: str
    since: float
    left: float | None
    cooldown: float | None
    failures: int
    probes: int
    trips: int
    in_a_row: int
    share: float
    rejects: int
    because: str = ""

    @property
    def word(self) -> str:
        """State as one word or two."""
        return _ramp(self.share) if self.ramping else self.state

    @property
    def ramping(self) -> bool:
        """Whether it comes back, and admits only a part."""
        return self.state == "closed" and self.share < 1


@dataclass(frozen=True, slots=True)
class Resting:
    """Callers' own keys that rest: how many now, how often in all, how many were forgotten; the latest by hint."""

    now: int
    total: int
    evictions: int
    shown: tuple[tuple[str, float], ...]

    @property
    def words(self) -> str:
        """How many rest now, as a sentence."""
        return "1 key rests" if self.now == 1 else f"{self.now} keys rest"


@dataclass(frozen=True, slots=True)
class Breaker:
    """A provider's breaker. `left` is None unless it is open with an end; threshold and probes 0 without one.

    Where there are `scopes` it is the gravest of them. `keys` is None where no key rests by itself.
    """

    enabled: bool
    state: str
    mode: str
    since: float
    left: float | None
    failures: int
    threshold: int
    probes: int
    max_probes: int
    trips: int
    rejects: int
    verdicts: Mapping[str, int]
    cooldown: float | None = None
    in_a_row: int = 0
    share: float = 1.0
    scope: str = "provider"
    scopes: tuple[Scope, ...] = ()
    keys: Resting | None = None
    because: str = ""

    @property
    def word(self) -> str:
        """State and mode as one word or two."""
        if not self.enabled:
            return "off"
        if self.ramping:
            return _ramp(self.share)
        return self.state if self.mode == "auto" else f"forced {self.state}"

    @property
    def ramping(self) -> bool:
        """Whether it comes back, and admits only a part."""
        return self.enabled and self.mode == "auto" and self.state == "closed" and self.share < 1

    @property
    def deciding(self) -> tuple[Scope, ...]:
        """The scopes, where each of them decides for itself; none where an operator has decided for all."""
        return self.scopes if self.enabled and self.mode == "auto" else ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's counters since the bridge's start; `first_bytes` is cumulative, by upper bound in seconds.

    `unanswered` of those in flight have no byte of their answer, and no answer has begun or ended for
    `unanswered_for` seconds; None where none is unanswered.
    """

    name: str
    in_flight: int
    breaker: Breaker
    responses: Mapping[str, int]
    errors: Mapping[str, int]
    first_bytes: Mapping[float, int]
    tokens: Mapping[str, int]
    limit: int = 0
    unanswered: int = 0
    unanswered_for: float | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller by its masked hint, which need not be unique."""

    hint: str
    requests: int
    rejects: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an operator may have to know; `at` is Unix time."""

    at: float
    kind: str
    provider: str
    source: str
    target: str
    because: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """Where callers wait for a place; `size` 0 is no queue. `pace` is places that became free a second.

    `waits` of those who had their turn are cumulative, by upper bound in seconds.
    """

    size: int = 0
    timeout: float = 0.0
    waiting: int = 0
    callers: int = 0
    pace: float | None = None
    served: int = 0
    full: int = 0
    timed_out: int = 0
    hopeless: int = 0
    left: int = 0
    waits: Mapping[float, int] = field(default_factory=dict)


_NO_QUEUE = Queue()


@dataclass(frozen=True, slots=True)
class Connections:
    """A listener's connections: how many are open, of how many.

    `refused` are those since the start, by cause; `busiest` is the address with
    most of them, and how many these are.
    """

    open: int = 0
    max: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    busiest: tuple[str, int] | None = None


_NO_CONNECTIONS = Connections()


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of `/status`. `started_at` (Unix time) names the process; limits are 0 for none.

    `statuses` are what callers got, by status, rejects included.
    """

    version: str
    now: float
    started_at: float
    uptime: float
    draining: bool
    limit: int
    in_flight: int
    rate_limit: int
    active_callers: int
    requests: int
    rejects: Mapping[str, int]
    providers: tuple[Provider, ...]
    callers: tuple[Caller, ...]
    events: tuple[Event, ...]
    per_caller: int = 0
    per_provider: int = 0
    queue: Queue = _NO_QUEUE
    shadow: tuple[str, ...] = ()
    would_reject: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    callers_connections: Connections = _NO_CONNECTIONS
    admin_connections: Connections = _NO_CONNECTIONS


def _ramp(share: float) -> str:
    return f"ramp {percent(share)}"


def percent(share: float) -> str:
    """`40%`, `<1%`: rounded down, so that not all is never 100%."""
    return f"{math.floor(100 * share) or '<1'}%"
