"""A status document, read: what `/status` says, as frozen records. Durations are seconds.

The schema is docs/status.schema.json; what is not known here is ignored, because documents may grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aibridge_trio.units import visible

_SCHEMA = 1
# Whoever answers may be no bridge at all: nothing of it fills the memory or the screen.
_MAX_ENTRIES = 100
_MAX_TEXT = 200
_MAX_COUNT = 1 << 63
# Some thousand years after 1970 (seconds): what is later has no date.
_MAX_SECONDS = 1e11


class Unreadable(ValueError):
    """This is no status document of a schema that is known here; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A provider's breaker. `left` is None unless it is open with an end; threshold and probes 0 without one."""

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

    @property
    def word(self) -> str:
        """State and mode as one word or two."""
        if not self.enabled:
            return "off"
        return self.state if self.mode == "auto" else f"forced {self.state}"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's counters since the bridge's start; `first_bytes` is cumulative, by upper bound in seconds."""

    name: str
    in_flight: int
    breaker: Breaker
    responses: Mapping[str, int]
    errors: Mapping[str, int]
    first_bytes: Mapping[float, int]
    tokens: Mapping[str, int]


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


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of `/status`. `started_at` (Unix time) names the process; limits are 0 for none."""

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


def read(document: Any) -> Document:
    """Read what JSON gave. Raises Unreadable."""
    try:
        _check(document["schema"])
        return Document(
            version=_text(document["version"]),
            now=_seconds(document["now"]),
            # Bridges of 0.1.0 do not tell; their uptime still does.
            started_at=_seconds(document.get("started_at", 0.0)),
            uptime=_seconds(document["uptime_s"]),
            draining=bool(document["draining"]),
            limit=_count(document["concurrency"]["limit"]),
            in_flight=_count(document["concurrency"]["in_flight"]),
            rate_limit=_count(document["rate_limit"]["per_second"]),
            active_callers=_count(document["rate_limit"]["callers"]),
            requests=_count(document["requests"]["total"]),
            rejects=_counts(document["rejects"]),
            providers=tuple(_provider(each) for each in _few(document["providers"])),
            callers=tuple(_caller(each) for each in _few(document["callers"])),
            events=tuple(_event(each) for each in _few(document["events"])),
        )
    except Unreadable:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unreadable(f"what it says is no status of an AI Bridge ({type(error).__name__})") from None


def _check(schema: object) -> None:
    if schema != _SCHEMA:
        raise Unreadable(f"its status has schema {_text(schema)}, this program reads {_SCHEMA}")


def _provider(said: Any) -> Provider:
    return Provider(
        name=_text(said["name"]),
        in_flight=_count(said["in_flight"]),
        breaker=_breaker(said["breaker"]),
        responses=_counts(said["upstream"]["responses"]),
        errors=_counts(said["upstream"]["errors"]),
        first_bytes={_bound(bound): _count(count) for bound, count in _few(said["ttfb_s"]["buckets"].items())},
        tokens=_counts(said["tokens"]),
    )


def _breaker(said: Any) -> Breaker:
    left = said["cooldown_left_s"]
    return Breaker(
        enabled=bool(said["enabled"]),
        state=_text(said["state"]),
        mode=_text(said["mode"]),
        since=_seconds(said["since_s"]),
        left=None if left is None else _seconds(left),
        failures=_count(said["failures_in_window"]),
        threshold=_count(said["threshold"] or 0),
        probes=_count(said["probes"]),
        max_probes=_count(said["max_probes"] or 0),
        trips=_count(said["trips"]),
        rejects=_count(said["rejects"]),
        verdicts=_counts(said["verdicts"]),
    )


def _caller(said: Any) -> Caller:
    return Caller(
        _text(said["hint"]), _count(said["requests"]), _count(said["rejects"]), _count(said["in_flight"])
    )


def _event(said: Any) -> Event:
    return Event(
        at=_seconds(said["at"]),
        kind=_text(said["kind"]),
        provider=_text(said["provider"] or ""),
        source=_text(said["from"] or ""),
        target=_text(said["to"] or ""),
        because=_text(said["because"]),
    )


def _counts(said: Any) -> dict[str, int]:
    return {_text(name): _count(count) for name, count in _few(said.items())}


def _count(said: Any) -> int:
    if type(said) is not int or not 0 <= said <= _MAX_COUNT:
        raise Unreadable(f"it counts {_text(said)}")
    return said


def _seconds(said: Any) -> float:
    if type(said) not in {int, float} or not 0 <= said <= _MAX_SECONDS:
        raise Unreadable(f"it tells a time of {_text(said)}")
    return float(said)


def _bound(said: str) -> float:
    bound = float(said)
    if not bound > 0:
        raise Unreadable(f"its histogram has a bound of {_text(said)}")
    return bound


def _few(entries: Iterable[Any]) -> list[Any]:
    return list(entries)[:_MAX_ENTRIES]


def _text(said: object) -> str:
    """The text on one line: control codes of whoever answers do not reach the terminal."""
    return visible(str(said), _MAX_TEXT)
