"""Reads JSON as a status document, or raises Unreadable. The result is bounded whatever program answered.

The schema is docs/status.schema.json. Unknown fields are ignored, because later versions add some; what older
bridges don't send is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from aibridge_trio.core.adaptive.governor import GovernorStats
from aibridge_trio.core.adaptive.limiter import AdaptiveStats
from aibridge_trio.printable import visible
from aibridge_trio.top.data.document import (
    Breaker,
    Caller,
    Connections,
    Document,
    Event,
    Override,
    PoolKey,
    Provider,
    Queue,
    Resting,
    Scope,
    Store,
)

_SCHEMA = 1
# Bounds, because the answer may come from another program than a bridge.
_MAX_ENTRIES = 100
_MAX_TEXT = 200
_MAX_COUNT = 1 << 63
# Some thousand years after 1970 (seconds); `datetime` has no later dates.
_MAX_SECONDS = 1e11


class Unreadable(ValueError):
    """The JSON is no status document of a known schema; `str()` is the reason."""


def read(document: Any) -> Document:
    """Read a decoded JSON document. Raises Unreadable."""
    try:
        _check(document["schema"])
        return Document(
            version=_text(document["version"]),
            now=_seconds(document["now"]),
            # Bridges of 0.1.0 don't send it; restarts are still seen by the uptime.
            started_at=_seconds(document.get("started_at", 0.0)),
            uptime=_seconds(document["uptime_s"]),
            draining=bool(document["draining"]),
            limit=_count(document["concurrency"]["limit"]),
            in_flight=_count(document["concurrency"]["in_flight"]),
            rate_limit=_count(document["rate_limit"]["per_second"]),
            active_callers=_count(document["rate_limit"]["callers"]),
            own_rates=bool(document["rate_limit"].get("own", False)),
            requests=_count(document["requests"]["total"]),
            rejects=_counts(document["rejects"]),
            providers=tuple(_provider(each) for each in _bounded(document["providers"])),
            callers=tuple(_caller(each) for each in _bounded(document["callers"])),
            events=tuple(_event(each) for each in _bounded(document["events"])),
            per_caller=_count(document["concurrency"].get("per_caller", 0)),
            per_provider=_count(document["concurrency"].get("per_provider", 0)),
            queue=_queue(document["queue"]) if "queue" in document else Queue(),
            shadow=tuple(_text(each) for each in _bounded(document.get("shadow", ()))),
            would_reject=_counts(document.get("would_reject", {})),
            statuses=_counts(document["requests"].get("by_status", {})),
            callers_connections=_connections(document, "callers"),
            admin_connections=_connections(document, "admin"),
            store=_store(document.get("store")),
        )
    except Unreadable:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unreadable(f"what it says is no status of an AI Bridge ({type(error).__name__})") from None


def _check(schema: object) -> None:
    if schema != _SCHEMA:
        raise Unreadable(f"its status has schema {_text(schema)}, this program reads {_SCHEMA}")


def _provider(value: Any) -> Provider:
    return Provider(
        name=_text(value["name"]),
        in_flight=_count(value["in_flight"]),
        breaker=_breaker(value["breaker"]),
        responses=_counts(value["upstream"]["responses"]),
        errors=_counts(value["upstream"]["errors"]),
        first_bytes=_histogram(value["ttfb_s"]),
        tokens=_counts(value["tokens"]),
        limit=_count(value.get("limit", 0)),
        unanswered=_count(value.get("unanswered", 0)),
        unanswered_for=_optional_seconds(value.get("unanswered_for_s")),
        adaptive=None if value.get("adaptive") is None else _adaptive(value["adaptive"]),
        keys=tuple(_pool_key(each) for each in _bounded(value.get("keys", ()))),
    )


def _pool_key(value: Any) -> PoolKey:
    return PoolKey(_text(value["label"]), _text(value["state"]), _seconds(value["left_s"]))


def _adaptive(value: Any) -> AdaptiveStats:
    pushback = value["pushback"] or {"cause": None, "level": 0, "ago_s": None}
    return AdaptiveStats(
        governor=GovernorStats(
            active=bool(value["active"]),
            level=_count(value["in_flight"]),
            starts=_count(value["starts"]),
            bound=_limit(value["bound"]),
            window=_limit(value["window"]),
            pace=_limit(value["pace_per_s"]),
            by_tokens=bool(value["by_tokens"]),
            background=_number(value["background"], most=1.0),
            outage=bool(value["outage"]),
            resumes_in=_seconds(value["resumes_in_s"]),
            cause=None if pushback["cause"] is None else _text(pushback["cause"]),
            cause_level=_count(pushback["level"]),
            ago=_limit(pushback["ago_s"]),
        ),
        held=_count(value["held"]),
        callers=_count(value["callers"]),
        rate=_number(value["answers_per_s"]),
        paced_keys=_count(value["paced_keys"]),
        budget=_number(value["budget"]),
        pushbacks=_count(value["pushbacks"]),
        resends=_count(value["sent_again"]),
        unfunded=_count(value["unfunded"]),
    )


def _connections(document: Any, listener: str) -> Connections:
    value = document.get("connections", {}).get(listener)
    if value is None:
        return Connections()
    busiest = value.get("busiest")
    return Connections(
        open=_count(value["open"]),
        max=_count(value.get("max") or 0),
        refused=_counts(value["refused"]),
        busiest=None if busiest is None else (_text(busiest["address"]), _count(busiest["open"])),
    )


def _queue(value: Any) -> Queue:
    pace = value["pace_per_s"]
    return Queue(
        size=_count(value["size"]),
        timeout=_seconds(value["timeout_s"]),
        waiting=_count(value["waiting"]),
        callers=_count(value["callers"]),
        pace=None if pace is None else _number(pace),
        served=_count(value["served"]),
        full=_count(value["full"]),
        timed_out=_count(value["timed_out"]),
        hopeless=_count(value["hopeless"]),
        left=_count(value["left"]),
        waits=_histogram(value["wait_s"]),
    )


def _histogram(value: Any) -> dict[float, int]:
    return {_bound(each): _count(count) for each, count in _bounded(value["buckets"].items())}


def _breaker(value: Any) -> Breaker:
    keys = value.get("credentials")
    return Breaker(
        enabled=bool(value["enabled"]),
        state=_text(value["state"]),
        mode=_text(value["mode"]),
        since=_seconds(value["since_s"]),
        left=_optional_seconds(value["cooldown_left_s"]),
        failures=_count(value["failures_in_window"]),
        threshold=_count(value["threshold"] or 0),
        probes=_count(value["probes"]),
        max_probes=_count(value["max_probes"] or 0),
        trips=_count(value["trips"]),
        rejects=_count(value["rejects"]),
        verdicts=_counts(value["verdicts"]),
        cooldown=_optional_seconds(value.get("cooldown_s")),
        in_a_row=_count(value.get("in_a_row", 0)),
        share=_number(value.get("share", 1.0), most=1.0),
        scope=_text(value.get("scope", "provider")),
        scopes=tuple(_scope(each) for each in _bounded(value.get("scopes", ()))),
        keys=None if keys is None else _keys(keys),
        because=_text(value.get("because") or ""),
        failure_share=_optional_share(value.get("failure_share_in_window")),
        needed_share=_number(value.get("failure_share") or 0, most=1.0),
        override=_override(value.get("override")),
    )


def _override(value: Any) -> Override | None:
    if value is None:
        return None
    return Override(_text(value["reason"]), _text(value["by"] or ""), _optional_seconds(value["left_s"]))


def _store(value: Any) -> Store | None:
    return None if value is None else Store(_text(value["condition"]), _count(value["replicas"]))


def _scope(value: Any) -> Scope:
    return Scope(
        name=_text(value["name"]),
        state=_text(value["state"]),
        since=_seconds(value["since_s"]),
        left=_optional_seconds(value["cooldown_left_s"]),
        cooldown=_optional_seconds(value["cooldown_s"]),
        failures=_count(value["failures_in_window"]),
        probes=_count(value["probes"]),
        trips=_count(value["trips"]),
        in_a_row=_count(value["in_a_row"]),
        share=_number(value["share"], most=1.0),
        rejects=_count(value["rejects"]),
        because=_text(value.get("because") or ""),
        failure_share=_optional_share(value.get("failure_share_in_window")),
    )


def _keys(value: Any) -> Resting:
    return Resting(
        now=_count(value["resting"]),
        total=_count(value["total"]),
        evictions=_count(value["evictions"]),
        shown=tuple((_text(each["hint"]), _seconds(each["left_s"])) for each in _bounded(value["callers"])),
    )


def _optional_seconds(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _optional_share(value: Any) -> float | None:
    return None if value is None else _number(value, most=1.0)


def _caller(value: Any) -> Caller:
    return Caller(
        _text(value["hint"]), _count(value["requests"]), _count(value["rejects"]), _count(value["in_flight"])
    )


def _event(value: Any) -> Event:
    return Event(
        at=_seconds(value["at"]),
        kind=_text(value["kind"]),
        provider=_text(value["provider"] or ""),
        source=_text(value["from"] or ""),
        target=_text(value["to"] or ""),
        because=_text(value["because"]),
        scope=_text(value.get("scope") or ""),
    )


def _counts(value: Any) -> dict[str, int]:
    return {_text(name): _count(count) for name, count in _bounded(value.items())}


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise Unreadable(f"it counts {_text(value)}")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in {int, float} or not 0 <= value <= _MAX_SECONDS:
        raise Unreadable(f"it tells a time of {_text(value)}")
    return float(value)


def _number(value: Any, most: float = _MAX_SECONDS) -> float:
    if type(value) not in {int, float} or not 0 <= value <= most:
        raise Unreadable(f"it tells a number of {_text(value)}")
    return float(value)


def _limit(value: Any) -> float:
    return math.inf if value is None else _number(value)


def _bound(value: str) -> float:
    above = float(value)
    if not above > 0:
        raise Unreadable(f"its histogram has a bound of {_text(value)}")
    return above


def _bounded(entries: Iterable[Any]) -> list[Any]:
    return list(entries)[:_MAX_ENTRIES]


def _text(value: object) -> str:
    """The text on one line, with control codes made visible."""
    return visible(str(value), _MAX_TEXT)
