"""Bridges on paper: status documents as `/status` sends them, and pictures made of a few minutes of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

from aibridge_trio.errors import REASONS
from aibridge_trio.telemetry.counters import BUCKETS
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import read

Said = dict[str, Any]
Change = Callable[[Said], None]

# 2026-03-01 09:00:00 UTC, and how long the bridge has run when it is looked at (seconds).
STARTED = 1_772_355_600.0
UPTIME = 8040.0
# The documents' clock and the reader's tell the same, so that times in tests are uptimes.
NOW = UPTIME

# What a bridge says when it starts.
INTRODUCTION = (
    "AI Bridge 0.1.0 listens on http://127.0.0.1:4001, admin on http://127.0.0.1:4002; protections: at most 50 in "
    "flight, 10 requests/s a caller, circuit breakers (5 failures in 10 s)"
)

# What protections in shadow would reject for.
WOULD_REJECT = (
    "capacity",
    "caller_capacity",
    "provider_capacity",
    "rate_limit",
    "circuit_open",
    "credential_cooldown",
)

# Providers by name: share of the traffic, typical time to the first byte (seconds).
SHARES = {"openai": (0.55, 0.4), "anthropic": (0.35, 0.9), "copilot": (0.10, 0.2)}


def traffic(uptime: float, per_second: float = 12.0) -> int:
    """Requests that have ended after so many seconds: steady, with a wave of a minute and a half."""
    return max(0, round(per_second * (uptime - 8.0 * math.sin(uptime / 15.0))))


def a_breaker(**changes: Any) -> Said:
    """A breaker that is closed and well."""
    return {
        "enabled": True,
        "state": "closed",
        "mode": "auto",
        "override": None,
        "since_s": 4500.0,
        "cooldown_left_s": None,
        "failures_in_window": 0,
        "failure_share_in_window": None,
        "threshold": 5,
        "failure_share": 0.0,
        "probes": 0,
        "max_probes": 3,
        "trips": 0,
        "rejects": 0,
        "verdicts": {"success": 0, "failure": 0, "neutral": 0},
        "cooldown_s": None,
        "in_a_row": 0,
        "share": 1.0,
        "scope": "provider",
        "scopes": [],
        "credentials": None,
        "because": None,
        **changes,
    }


def a_scope(name: str, state: str = "closed", **changes: Any) -> Said:
    """One of several breakers, which is at rest."""
    return {
        "name": name,
        "state": state,
        "since_s": 4500.0,
        "cooldown_left_s": None,
        "cooldown_s": None,
        "failures_in_window": 0,
        "failure_share_in_window": None,
        "probes": 0,
        "trips": 0,
        "in_a_row": 0,
        "share": 1.0,
        "rejects": 0,
        "because": None,
        **changes,
    }


def a_limiter(**changes: Any) -> Said:
    """An adaptive limiter that has learned nothing; `pushback` is a cause, its level and its age."""
    cause, level, ago = changes.pop("pushback", (None, 0, 0.0))
    return {
        "active": cause is not None,
        "in_flight": 3,
        "starts": 0,
        "bound": None,
        "window": None,
        "pace_per_s": None,
        "by_tokens": False,
        "paced_keys": 0,
        "background": 0.05,
        "outage": False,
        "resumes_in_s": 0.0,
        "pushback": None if cause is None else {"cause": cause, "level": level, "ago_s": ago},
        "held": 0,
        "callers": 0,
        "answers_per_s": 0.0,
        "pushbacks": 0,
        "sent_again": 0,
        "unfunded": 0,
        "budget": 30.0,
        "holds": {"sent": 0, "timed_out": 0, "stopped": 0, "rejected": 0, "left": 0},
        "held_s": {"buckets": {"+Inf": 0}, "sum": 0.0, "count": 0},
        **changes,
    }


def a_queue(served: int = 0, typical: float = 0.8, **changes: Any) -> Said:
    """A queue in which so many have had their turn, most of them after about the `typical` time; off by itself."""
    buckets: Said = {str(bound): round(served / (1 + (typical / bound) ** 3)) for bound in BUCKETS}
    return {
        "size": 0,
        "timeout_s": 0.0,
        "waiting": 0,
        "callers": 0,
        "pace_per_s": None,
        "served": served,
        "full": 0,
        "timed_out": 0,
        "hopeless": 0,
        "left": 0,
        "wait_s": {"buckets": buckets | {"+Inf": served}, "sum": typical * served, "count": served},
        **changes,
    }


def a_provider(name: str, answered: int, typical: float = 0.4, **changes: Any) -> Said:
    """A provider that has answered so many requests, most of them in about the `typical` time."""
    buckets: Said = {}
    for bound in BUCKETS:
        # A log-logistic law: half of all within the typical time, a tail of a few seconds.
        buckets[str(bound)] = round(answered / (1 + (typical / bound) ** 3))
    buckets["+Inf"] = answered
    overloaded = answered // 400
    responses = {"200": answered - overloaded, "429": overloaded}
    failed = overloaded + answered // 9000
    return {
        "name": name,
        "type": "openai",
        "in_flight": 3,
        "unanswered": 0,
        "unanswered_for_s": None,
        "limit": 0,
        "breaker": a_breaker(verdicts={"success": answered - overloaded, "failure": failed, "neutral": 0}),
        "adaptive": None,
        "upstream": {
            "responses": {status: count for status, count in responses.items() if count},
            "errors": {"connect": 0, "head": answered // 9000, "stream": 0},
        },
        "ttfb_s": {"buckets": buckets, "sum": typical * answered, "count": answered},
        "tokens": {"input": answered * 310, "output": answered * 120, "cache_read": 0, "cache_write": 0},
        "duration_s": {"buckets": buckets, "sum": typical * answered, "count": answered},
        "total_s": {"buckets": buckets, "sum": typical * answered, "count": answered},
        **changes,
    }


def a_caller(hint: str, requests: int, rejects: int = 0, in_flight: int = 0) -> Said:
    """A caller."""
    return {"hint": hint, "requests": requests, "rejects": rejects, "in_flight": in_flight}


def an_event(at: float, kind: str, because: str, provider: str | None = None, **ends: str | None) -> Said:
    """Something that happened `at` seconds after the start; with `source`, `target` and `scope`."""
    return {
        "at": STARTED + at,
        "kind": kind,
        "provider": provider,
        "scope": ends.get("scope"),
        "from": ends.get("source"),
        "to": ends.get("target"),
        "because": because,
    }


def a_trip(provider: str, at: float) -> list[Said]:
    """The events of a breaker's whole circle, which began at `at`."""
    steps = (
        (0.0, "closed", "open", "5 failures in 10 s, last 429"),
        (30.0, "open", "half-open", "cooldown over"),
        (33.2, "half-open", "closed", "3 of 3 probes succeeded"),
    )
    return [
        an_event(at + after, "breaker", because, provider, source=source, target=target)
        for after, source, target, because in steps
    ]


def a_document(uptime: float = UPTIME, *changes: Change, per_second: float = 12.0) -> Said:
    """What a busy and healthy bridge says after so many seconds; `changes` are made to it afterwards."""
    total = traffic(uptime, per_second)
    limited = total // 150
    document: Said = {
        "schema": 1,
        "version": "0.1.0",
        "now": STARTED + uptime,
        "started_at": STARTED,
        "uptime_s": uptime,
        "draining": False,
        "concurrency": {"limit": 50, "in_flight": 9, "per_caller": 0, "per_provider": 0},
        "queue": a_queue(),
        "rate_limit": {"per_second": 10, "callers": 4},
        "requests": {"total": total, "by_status": {"200": total - limited, "429": limited} if limited else {}},
        "rejects": dict.fromkeys(REASONS, 0) | {"rate_limit": limited, "not_found": min(3, total // 100)},
        "shadow": [],
        "would_reject": dict.fromkeys(WOULD_REJECT, 0),
        "providers": [
            a_provider(name, int((total - limited) * share), typical) for name, (share, typical) in SHARES.items()
        ],
        "callers": [
            a_caller("…x7Qa", total // 2, limited, 5),
            a_caller("…9fK2", total // 4, 0, 3),
            a_caller("10.1.4.17", total // 8, 0, 1),
            a_caller("…m0pW", total // 16),
        ],
        "events": [an_event(0.0, "start", INTRODUCTION), *a_trip("openai", 3400.0)],
    }
    document["events"] = [event for event in document["events"] if event["at"] <= STARTED + uptime]
    for provider in document["providers"]:
        provider["breaker"]["since_s"] = min(4500.0, uptime)
    for change in changes:
        change(document)
    return document


def a_history(*changes: Change, until: float = UPTIME, minutes: float = 5.0, per_second: float = 12.0) -> History:
    """The history of some minutes of a bridge, a document a second."""
    history = History()
    for second in range(int(max(0.0, until - 60 * minutes)), int(until) + 1):
        document = a_document(float(second), *changes, per_second=per_second)
        history.add(read(document), float(second))
    return history


def a_picture(*changes: Change, until: float = UPTIME, minutes: float = 5.0, per_second: float = 12.0) -> Picture:
    """The picture of such a history over ten seconds."""
    picture = a_history(*changes, until=until, minutes=minutes, per_second=per_second).picture(10.0)
    assert picture is not None
    return picture


def breaking(name: str, **breaker: Any) -> Change:
    """Change a provider's breaker."""

    def change(document: Said) -> None:
        for provider in document["providers"]:
            if provider["name"] == name:
                provider["breaker"] |= breaker

    return change


def failing(name: str, parts: Mapping[str, float], *, events: float = 0.0, since: float = UPTIME - 60) -> Change:
    """Let these parts of a provider's answers be other statuses, or errors by phase, and some overloaded streams.

    Until `since` all was as ever.
    """
    then = _named(a_document(since), name)

    def change(document: Said) -> None:
        now = _named(document, name)
        gained = sum(now["upstream"]["responses"].values()) - sum(then["upstream"]["responses"].values())
        if gained <= 0:
            return
        upstream = copy.deepcopy(then["upstream"])
        for what, part in parts.items():
            kind = upstream["responses" if what.isdigit() else "errors"]
            kind[what] = kind.get(what, 0) + round(gained * part)
        upstream["responses"]["200"] += round(gained * (1 - sum(parts.values())))
        overloaded = sum(part for what, part in parts.items() if what in {"429", "503", "529"} or what.isalpha())
        failures = then["breaker"]["verdicts"]["failure"] + round(gained * (overloaded + events))
        now["upstream"] = upstream
        now["breaker"]["verdicts"] = now["breaker"]["verdicts"] | {"failure": failures}

    return change


def _named(document: Said, name: str) -> Any:
    [provider] = [each for each in document["providers"] if each["name"] == name]
    return provider


def adapting(name: str, **limiter: Any) -> Change:
    """Give a provider an adaptive limiter, which sends two requests again every five seconds."""

    def change(document: Said) -> None:
        again = int(document["uptime_s"] * 0.4)
        _named(document, name)["adaptive"] = a_limiter(**{"sent_again": again, "pushbacks": again, **limiter})

    return change


def without_rejects(document: Said) -> None:
    """Let there be no rejects."""
    document["rejects"] = dict.fromkeys(document["rejects"], 0)


def silent(name: str, unanswered: int, seconds: float) -> Change:
    """Let so many requests hang at a provider, of which none has been answered for so long."""

    def change(document: Said) -> None:
        _named(document, name).update(in_flight=unanswered, unanswered=unanswered, unanswered_for_s=seconds)

    return change


def connecting(callers: Said, admin: Said | None = None) -> Change:
    """Let there be connections; what is not said of a listener is nothing."""
    calm = {
        "open": 0,
        "max": 100,
        "refused": dict.fromkeys(("limit", "address", "descriptors"), 0),
        "busiest": None,
    }

    def change(document: Said) -> None:
        document["connections"] = {
            listener: copy.deepcopy(calm | (said or {}))
            for listener, said in (("callers", callers), ("admin", admin))
        }

    return change


def overrun(document: Said) -> None:
    """Let one address have most of the connections, and others be refused for it."""
    refused = {"limit": int(document["uptime_s"] * 2), "address": 0, "descriptors": 0}
    busiest = {"address": "10.0.0.5", "open": 480}
    connecting({"open": 500, "max": 500, "refused": refused, "busiest": busiest})(document)


def full(document: Said) -> None:
    """Fill the concurrency, and turn some away for it."""
    document["concurrency"]["in_flight"] = document["concurrency"]["limit"] = 50
    document["rejects"]["capacity"] = document["requests"]["total"] // 6


def unlimited(document: Said) -> None:
    """Take both limits away."""
    document["concurrency"]["limit"] = 0
    document["rate_limit"] = {"per_second": 0, "callers": 0}


def queueing(document: Said) -> None:
    """Let there be a queue in which some wait, and which turns some away."""
    total = document["requests"]["total"]
    document["concurrency"]["in_flight"] = document["concurrency"]["limit"]
    document["queue"] = a_queue(
        total // 3,
        size=100,
        timeout_s=30.0,
        waiting=37,
        callers=5,
        pace_per_s=11.4,
        full=total // 20,
        timed_out=total // 90,
        hopeless=total // 40,
        left=total // 200,
    )
    document["rejects"] |= {
        "queue_full": total // 20,
        "queue_timeout": total // 90,
        "queue_deadline": total // 40,
    }


def limiting(document: Said) -> None:
    """Let single callers and providers have limits, and one of each be at it."""
    document["concurrency"] |= {"per_caller": 5, "per_provider": 20}
    document["rejects"]["caller_capacity"] = document["requests"]["total"] // 80
    for provider in document["providers"]:
        provider["limit"] = 20
    document["providers"][1]["in_flight"] = 20


def shadowing(*names: str) -> Change:
    """Let these protections only count."""

    def change(document: Said) -> None:
        total = document["requests"]["total"]
        document["shadow"] = list(names)
        document["would_reject"] |= {"rate_limit": total // 30, "capacity": total // 100}

    return change


SCOPES: tuple[tuple[str, str, Said], ...] = (
    ("gpt-4o", "closed", {}),
    (
        "gpt-4o-mini",
        "open",
        {
            "since_s": 22.0,
            "cooldown_left_s": 98.0,
            "cooldown_s": 120.0,
            "failures_in_window": 0,
            "trips": 3,
            "in_a_row": 3,
            "rejects": 131,
        },
    ),
    ("o3-pro-2025-06-10", "half-open", {"since_s": 1.3, "probes": 2, "trips": 1, "in_a_row": 1, "rejects": 12}),
    ("gpt-5", "closed", {"since_s": 9.0, "share": 0.4, "trips": 1, "in_a_row": 1, "rejects": 40}),
    ("gpt-5-mini", "closed", {"failures_in_window": 3}),
    ("other", "closed", {"trips": 1, "rejects": 7}),
)


def scoping(name: str) -> Change:
    """Let a provider have a breaker for each model; the gravest of them is open."""
    scopes = [a_scope(model, state, **more) for model, state, more in SCOPES]
    grave = {"state": "open", "since_s": 22.0, "cooldown_left_s": 98.0, "cooldown_s": 120.0, "in_a_row": 3}
    return breaking(name, scope="model", scopes=scopes, trips=6, rejects=190, **grave)


RAMP = {"share": 0.4, "since_s": 9.0, "trips": 1, "in_a_row": 1, "rejects": 131}
RESTING = {
    "credentials": {
        "resting": 7,
        "total": 41,
        "evictions": 2,
        "callers": [{"hint": "…x7Qa", "left_s": 25.0}, {"hint": "…9fK2", "left_s": 12.0}],
    }
}


FAILURE_SHARES = ("failure_share", "failure_share_in_window")


def older(document: Said) -> None:
    """Let it be what a bridge said that knew neither queue nor scopes nor shadow."""
    del document["queue"], document["shadow"], document["would_reject"]
    del document["concurrency"]["per_caller"], document["concurrency"]["per_provider"]
    for provider in document["providers"]:
        del provider["limit"], provider["unanswered"], provider["unanswered_for_s"], provider["adaptive"]
        for name in (
            "because",
            "override",
            "cooldown_s",
            "in_a_row",
            "share",
            "scope",
            "scopes",
            "credentials",
            *FAILURE_SHARES,
        ):
            del provider["breaker"][name]
    for event in document["events"]:
        del event["scope"]


def draining(document: Said) -> None:
    """Let it end."""
    document["draining"] = True
    document["events"].append(
        an_event(document["uptime_s"] - 3.0, "drain", "9 in flight; a second signal ends them")
    )


LEARNED = {"bound": 41, "window": 60.0, "pushback": ("529", 42, 3.2), "held": 37, "callers": 4, "budget": 88.0}
QUOTA = {"pace_per_s": 66.0, "pushback": ("429", 9, 12.0), "sent_again": 0}
OUTAGE = {"outage": True, "resumes_in_s": 1.6, "window": 1.0, "pushback": ("503", 1, 0.4), "held": 9, "callers": 1}
OPEN = {"state": "open", "since_s": 4.8, "cooldown_left_s": 25.2, "trips": 2, "rejects": 131}
HALF_OPEN = {"state": "half-open", "since_s": 1.3, "probes": 2, "trips": 2, "rejects": 412}
FORCED_OPEN = {"state": "open", "mode": "open", "since_s": 754.0, "rejects": 90}
FORCED_CLOSED = {"state": "closed", "mode": "close", "since_s": 754.0, "failures_in_window": 7}
OFF = {"enabled": False, "threshold": None, "max_probes": None}
