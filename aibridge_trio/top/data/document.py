"""A status document as frozen records, as `/status` sends it. Durations are seconds.

Defaults are for older bridges, whose documents have fewer fields: what is missing is off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from aibridge_trio.core.adaptive.limiter import AdaptiveStats


@dataclass(frozen=True, slots=True)
class Scope:
    """One breaker of a provider with breakers by scope: of an endpoint, or of a model.

    `left` is the rest of the cooldown and `cooldown` the whole, None unless it is open with an end. `share` is
    what a ramp admits, 0 to 1. `because` is the reason of the state, "" if unknown. `failure_share` is which share
    of the calls in the window failed, None if the breaker does not count that.
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
    failure_share: float | None = None

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
    """Callers' keys in cooldown: how many now, how often in total, how many were evicted; the latest by hint."""

    now: int
    total: int
    evictions: int
    shown: tuple[tuple[str, float], ...]

    @property
    def words(self) -> str:
        """How many rest now, as text."""
        return "1 key rests" if self.now == 1 else f"{self.now} keys rest"


@dataclass(frozen=True, slots=True)
class PoolKey:
    """One of the bridge's own keys for a provider, by its label; it rests for `left` seconds if it is resting."""

    label: str
    state: str
    left: float


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's override: why, from which address ("" if unknown), and for how long still (None: no end)."""

    reason: str
    by: str
    left: float | None


@dataclass(frozen=True, slots=True)
class Breaker:
    """A provider's breaker. `left` is None unless it is open with an end; threshold and probes are 0 if disabled.

    With `scopes` it is the most urgent of them. `keys` is None unless keys have cooldowns of their own. From the
    threshold on it opens when `failure_share` is at least `needed_share`, 0 to 1; 0 if it does not count that.
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
    failure_share: float | None = None
    needed_share: float = 0.0
    override: Override | None = None

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
        """The scopes, unless an operator forced the whole breaker."""
        return self.scopes if self.enabled and self.mode == "auto" else ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's counters since the bridge's start; `first_bytes` is cumulative, by upper bound in seconds.

    `unanswered` of the requests in flight have no byte of an answer, and no answer has begun or ended for
    `unanswered_for` seconds (None if there are none). `adaptive` is None if it is off.
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
    adaptive: AdaptiveStats | None = None
    keys: tuple[PoolKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller by its masked key, which need not be unique."""

    hint: str
    requests: int
    rejects: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `at` is Unix time."""

    at: float
    kind: str
    provider: str
    source: str
    target: str
    because: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue; `size` 0 is none. `pace` is slots that became free per second.

    `waits` of served requests are cumulative, by upper bound in seconds.
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
    """A listener's connections: how many are open, and their limit.

    `refused` are counts since the start, by cause; `busiest` is the address with most connections, and their
    number.
    """

    open: int = 0
    max: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    busiest: tuple[str, int] | None = None


_NO_CONNECTIONS = Connections()


@dataclass(frozen=True, slots=True)
class Store:
    """What is shared with other replicas: the condition in a word, and how many there are."""

    condition: str
    replicas: int

    @property
    def degraded(self) -> bool:
        """Whether the store is away."""
        return self.condition in {"degraded", "closed"}


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of `/status`. `started_at` (Unix time) names the process; limits are 0 for none.

    `statuses` counts callers' answers by status, rejects included.
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
    own_rates: bool
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
    store: Store | None = None


def _ramp(share: float) -> str:
    return f"ramp {percent(share)}"


def fails(failures: int, threshold: int, share: float | None, needed: float = 0.0) -> str:
    """Return how far a breaker is from opening: `3/5`; from the threshold on, if it counts that, `12%` of calls.

    With the `needed` share that is `12% of 50%`.
    """
    if share is None or failures < threshold:
        return f"{failures}/{threshold}"
    return f"{percent(share)} of {percent(needed)}" if needed else percent(share)


def percent(share: float) -> str:
    """Return `40%`, `<1%`: rounded down, so that only all is 100%."""
    return f"{math.floor(100 * share) or '<1'}%"
