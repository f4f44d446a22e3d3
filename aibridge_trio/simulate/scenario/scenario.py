"""A scenario: groups of callers, crowds, the provider, its phases of faults, and the bridge's settings.

Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aibridge_trio.simulate.scenario.settings import Values, default_settings
from aibridge_trio.simulate.world.clients import Client

# The name of the provider that a scenario calls `[provider]`, in rejects and as a key of limits.
PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Group:
    """Callers of one kind, each with `requests_per_minute` at random times.

    `patience` is how long a caller waits for the first token, retries included (seconds). Lengths of prompts and
    answers are medians, and spreads of their logarithms. `curve` has factors of the demand in equal parts of the
    scenario's duration.
    """

    name: str
    count: int
    client: Client
    requests_per_minute: float
    patience: float
    provider: str
    prompt_tokens: int
    prompt_tokens_spread: float
    answer_tokens: int
    answer_tokens_spread: float
    curve: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Crowd:
    """A time in which callers (of one group, or all) send `times` as many requests."""

    start: float
    end: float
    times: float
    group: str


@dataclass(frozen=True, slots=True)
class Model:
    """A provider: capacity, latencies (medians, and spreads of their logarithms), errors, quotas; 0 is none.

    `slots_curve` has slots in equal parts of the scenario's duration, in place of `slots`.
    """

    slots: int
    slots_curve: tuple[int, ...]
    when_full: str
    queue: int
    full_retry_after: float
    first_token: float
    first_token_spread: float
    tokens_per_second: float
    answer_tokens: int
    answer_tokens_spread: float
    prompt_tokens: int
    prompt_tokens_spread: float
    error_latency: float
    own_keys: bool
    requests_per_minute: int
    tokens_per_minute: int
    quota_burst: float
    quota_headers: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """A fault of a provider ("" is all of them) for a time, with the share of calls that it affects."""

    start: float
    end: float
    fault: str
    share: float
    retry_after: float | None  # infinite: until the end of the phase
    cuts: bool
    slower: float
    slots: int | None
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario; `settings` are the bridge's. `left_out` is a text on parts that begin after the end.

    `model` is the provider that has no name, `others` are those with one.
    """

    name: str
    about: str
    duration: float
    groups: tuple[Group, ...]
    crowds: tuple[Crowd, ...]
    model: Model
    phases: tuple[Phase, ...]
    settings: Values = field(default_factory=default_settings)
    left_out: str = ""
    others: Mapping[str, Model] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, Model]:
        """All providers by name."""
        return {PROVIDER: self.model, **self.others}

    @property
    def troubles(self) -> list[tuple[float, float]]:
        """Start and end of each phase and crowd, in order."""
        spans = [(phase.start, phase.end) for phase in self.phases]
        return sorted([*spans, *((crowd.start, crowd.end) for crowd in self.crowds)])

    @property
    def callers(self) -> int:
        """The number of callers."""
        return sum(group.count for group in self.groups)
