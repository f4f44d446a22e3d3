"""Reads what JSON gave as a status document, or says that it is none. Whatever answers, what comes out is bounded.

The schema is docs/status.schema.json; what is not known here is ignored, because documents may grow. What older
bridges do not tell is off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aibridge_trio.printable import visible
from aibridge_trio.top.data.document import (
    Breaker,
    Caller,
    Connections,
    Document,
    Event,
    Provider,
    Queue,
    Resting,
    Scope,
)

_SCHEMA = 1
# Whoever answers may be no bridge at all: nothing of it fills the memory or the screen.
_MAX_ENTRIES = 100
_MAX_TEXT = 200
_MAX_COUNT = 1 << 63
# Some thousand years after 1970 (seconds): what is later has no date.
_MAX_SECONDS = 1e11


class Unreadable(ValueError):
    """This is no status document of a schema that is known here; `str()` says why."""


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
            per_caller=_count(document["concurrency"].get("per_caller", 0)),
            per_provider=_count(document["concurrency"].get("per_provider", 0)),
            queue=_queue(document["queue"]) if "queue" in document else Queue(),
            shadow=tuple(_text(each) for each in _few(document.get("shadow", ()))),
            would_reject=_counts(document.get("would_reject", {})),
            statuses=_counts(document["requests"].get("by_status", {})),
            callers_connections=_connections(document, "callers"),
            admin_connections=_connections(document, "admin"),
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
        first_bytes=_histogram(said["ttfb_s"]),
        tokens=_counts(said["tokens"]),
        limit=_count(said.get("limit", 0)),
        unanswered=_count(said.get("unanswered", 0)),
        unanswered_for=_maybe(said.get("unanswered_for_s")),
    )


def _connections(document: Any, listener: str) -> Connections:
    said = document.get("connections", {}).get(listener)
    if said is None:
        return Connections()
    busiest = said.get("busiest")
    return Connections(
        open=_count(said["open"]),
        max=_count(said.get("max") or 0),
        refused=_counts(said["refused"]),
        busiest=None if busiest is None else (_text(busiest["address"]), _count(busiest["open"])),
    )


def _queue(said: Any) -> Queue:
    pace = said["pace_per_s"]
    return Queue(
        size=_count(said["size"]),
        timeout=_seconds(said["timeout_s"]),
        waiting=_count(said["waiting"]),
        callers=_count(said["callers"]),
        pace=None if pace is None else _number(pace),
        served=_count(said["served"]),
        full=_count(said["full"]),
        timed_out=_count(said["timed_out"]),
        hopeless=_count(said["hopeless"]),
        left=_count(said["left"]),
        waits=_histogram(said["wait_s"]),
    )


def _histogram(said: Any) -> dict[float, int]:
    return {_bound(each): _count(many) for each, many in _few(said["buckets"].items())}


def _breaker(said: Any) -> Breaker:
    keys = said.get("credentials")
    return Breaker(
        enabled=bool(said["enabled"]),
        state=_text(said["state"]),
        mode=_text(said["mode"]),
        since=_seconds(said["since_s"]),
        left=_maybe(said["cooldown_left_s"]),
        failures=_count(said["failures_in_window"]),
        threshold=_count(said["threshold"] or 0),
        probes=_count(said["probes"]),
        max_probes=_count(said["max_probes"] or 0),
        trips=_count(said["trips"]),
        rejects=_count(said["rejects"]),
        verdicts=_counts(said["verdicts"]),
        cooldown=_maybe(said.get("cooldown_s")),
        in_a_row=_count(said.get("in_a_row", 0)),
        share=_number(said.get("share", 1.0), most=1.0),
        scope=_text(said.get("scope", "provider")),
        scopes=tuple(_scope(each) for each in _few(said.get("scopes", ()))),
        keys=None if keys is None else _keys(keys),
        because=_text(said.get("because") or ""),
    )


def _scope(said: Any) -> Scope:
    return Scope(
        name=_text(said["name"]),
        state=_text(said["state"]),
        since=_seconds(said["since_s"]),
        left=_maybe(said["cooldown_left_s"]),
        cooldown=_maybe(said["cooldown_s"]),
        failures=_count(said["failures_in_window"]),
        probes=_count(said["probes"]),
        trips=_count(said["trips"]),
        in_a_row=_count(said["in_a_row"]),
        share=_number(said["share"], most=1.0),
        rejects=_count(said["rejects"]),
        because=_text(said.get("because") or ""),
    )


def _keys(said: Any) -> Resting:
    return Resting(
        now=_count(said["resting"]),
        total=_count(said["total"]),
        evictions=_count(said["evictions"]),
        shown=tuple((_text(each["hint"]), _seconds(each["left_s"])) for each in _few(said["callers"])),
    )


def _maybe(said: Any) -> float | None:
    return None if said is None else _seconds(said)


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
        scope=_text(said.get("scope") or ""),
    )


def _counts(said: Any) -> dict[str, int]:
    return {_text(name): _count(many) for name, many in _few(said.items())}


def _count(said: Any) -> int:
    if type(said) is not int or not 0 <= said <= _MAX_COUNT:
        raise Unreadable(f"it counts {_text(said)}")
    return said


def _seconds(said: Any) -> float:
    if type(said) not in {int, float} or not 0 <= said <= _MAX_SECONDS:
        raise Unreadable(f"it tells a time of {_text(said)}")
    return float(said)


def _number(said: Any, most: float = _MAX_SECONDS) -> float:
    if type(said) not in {int, float} or not 0 <= said <= most:
        raise Unreadable(f"it tells a number of {_text(said)}")
    return float(said)


def _bound(said: str) -> float:
    above = float(said)
    if not above > 0:
        raise Unreadable(f"its histogram has a bound of {_text(said)}")
    return above


def _few(entries: Iterable[Any]) -> list[Any]:
    return list(entries)[:_MAX_ENTRIES]


def _text(said: object) -> str:
    """The text on one line: control codes of whoever answers do not reach the terminal."""
    return visible(str(said), _MAX_TEXT)
