"""Every constant of core/adaptive: what it is, and which other values are tried; the value itself is the module's.

A constant is tried with half and with twice its value, or with the values given here. Those that bound memory, or
that nothing in the simulator depends on, are not tried.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

_PACKAGE = "aibridge_trio.core.adaptive"
# The scenarios that constants are tried in: failures that depend on load or on time, and quotas.
LOAD = ("outage", "brownout", "wandering", "load-independent", "relentless")
QUOTA = ("quota", "request-quota", "token-quota")
# Constants that are imported by name elsewhere.
_COPIES = {"limiter.LONGEST_HOLD": "aibridge_trio.simulate.policies.adaptive"}
# Constants that others determine.
DERIVED: dict[str, Callable[[ModuleType], float]] = {
    "resend_budget._COVERED": lambda module: float(module.__dict__["_SHARE"] / module.__dict__["_LEAST"]),
}


class Constant(NamedTuple):
    """One constant, or two that are changed together.

    `names` are separated by spaces. `scenes` are the scenarios where it is tried, none if it is not tried; `lower`
    and `higher` are the values, one for each name, separated by spaces; "" is half and twice the value.
    """

    module: str
    names: str
    words: str
    scenes: tuple[str, ...] = LOAD
    lower: str = ""
    higher: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The values that the module has."""
        return tuple(vars(module(self.module))[name] for name in self.names.split())

    def tried(self, *, higher: bool) -> tuple[float, ...]:
        """Return the other values, of the types of the module's."""
        given = self.higher if higher else self.lower
        if given:
            return tuple(float(each) for each in given.split())
        return tuple(_like(value, value * 2 if higher else value / 2) for value in self.values)

    def change(self, *, higher: bool) -> str:
        """Return the change as a text for `changed`."""
        pairs = zip(self.names.split(), self.tried(higher=higher), strict=True)
        return " ".join(f"{self.module}.{name}={value:g}" for name, value in pairs)


def module(name: str) -> ModuleType:
    """Return a module of core/adaptive."""
    return importlib.import_module(f"{_PACKAGE}.{name}")


def changes(scenes: tuple[str, ...]) -> Iterator[str]:
    """Yield the changes that are tried in these scenarios."""
    for constant in CONSTANTS:
        if constant.scenes == scenes:
            yield constant.change(higher=False)
            yield constant.change(higher=True)


@contextmanager
def changed(text: str) -> Iterator[None]:
    """Give constants other values for a while: `MODULE.NAME=VALUE`, separated by spaces."""
    before: list[tuple[ModuleType, str, object]] = []

    def put(home: ModuleType, name: str, value: float) -> None:
        before.append((home, name, vars(home)[name]))
        setattr(home, name, value)

    try:
        for each in text.split():
            path, _, value = each.partition("=")
            short, _, name = path.partition(".")
            home = module(short)
            put(home, name, _like(vars(home)[name], float(value)))
            if path in _COPIES:
                put(importlib.import_module(_COPIES[path]), name, float(value))
            for derived, rule in DERIVED.items():
                if derived.startswith(f"{short}."):
                    put(home, derived.partition(".")[2], rule(home))
        yield
    finally:
        for changed_module, name, old in reversed(before):
            setattr(changed_module, name, old)


def _like(value: float, other: float) -> float:
    """Return the other value as an integer if the value is one."""
    return max(1, round(other)) if isinstance(value, int) else other


_JITTER = "a pause is between these times as long, at random; for several bridges"
CONSTANTS = (
    Constant("level_bound", "_FIRST_PAUSE", "seconds from a cut of the bound to its first probe"),
    Constant("level_bound", "_LONGEST_PAUSE", "seconds between probes at most"),
    Constant("level_bound", "_ANSWERS_PER_PROBE", "answers for each failed probe, where answers are rare"),
    Constant("level_bound", "_LONGEST_RARE_PAUSE", "seconds between probes at most, there"),
    Constant("level_bound", "_FOLLOW", "how fast the mean time between answers follows"),
    Constant("level_bound", "_JITTER_FROM _JITTER_TO", _JITTER, ()),
    Constant("level_bound", "_LARGEST_STEP", "the share of the bound by which it rises at most at once"),
    Constant("level_bound", "_UNDO", "seconds in which an accepted start above the bound undoes a cut"),
    Constant("load_evidence", "_ENOUGH", "the evidence for a bound: a log-likelihood ratio"),
    Constant("load_evidence", "_ENOUGH_FOR_OUTAGE", "the evidence for an outage"),
    Constant("load_evidence", "_CHANGE", "what it costs to assume that the capacity has changed"),
    Constant("load_evidence", "_ACCEPTED", "what an accepted start above a bound counts against it"),
    Constant("load_evidence", "_FADING", "seconds after which an outcome counts 1/e"),
    Constant("load_evidence", "_OUTCOMES", "outcomes that are kept; bounds the work", ()),
    Constant("load_evidence", "_CANDIDATES", "bounds that are tried after a pushback; bounds the work", ()),
    Constant("load_evidence", "_KNOWN", "seconds for which an accepted level is known to be accepted"),
    Constant("load_evidence", "_LEAST", "the least background share"),
    Constant("load_evidence", "_GREATEST", "the greatest background share", LOAD, "0.7", "0.95"),
    Constant("load_evidence", "_MEMORY", "starts that the background share remembers"),
    Constant("load_evidence", "_LONGEST_RUN", "pushbacks in a row that count as chance at most"),
    Constant("governor", "_ROUND_TRIPS", "round trips with nothing but pushbacks that make an outage"),
    Constant("governor", "_FIRST_PAUSE", "seconds before the first canary"),
    Constant("governor", "_LONGEST_PAUSE", "seconds between canaries at most"),
    Constant("governor", "_JITTER_FROM _JITTER_TO", _JITTER, ()),
    Constant("governor", "_HUNG", "seconds without a start after which one more goes up than the window allows"),
    Constant("governor", "_LONGEST_HINT", "seconds that a retry hint is respected for; none here is longer", ()),
    Constant(
        "governor", "_HINT_JITTER", "the share that is added to a hint at most, at random; for several bridges", ()
    ),
    Constant(
        "governor", "_FORGOTTEN", "seconds without a pushback until all is forgotten; longer than a scenario", ()
    ),
    Constant("governor", "_REFUSED", "refused starts that are remembered; bounds memory", ()),
    Constant("governor", "_QUIET", "starts of quiet times that are remembered; bounds memory", ()),
    Constant("governor", "_LEVELS", "levels of 429s that are remembered, to tell a quota from full slots", QUOTA),
    Constant("governor", "_TIGHT", "levels apart that are the same level still", QUOTA),
    Constant("governor", "_TIGHT_SHARE", "the same, as a share of the level", QUOTA),
    Constant("governor", "_FEWEST_LEVELS", "429s until then: each with a hint is about a quota", QUOTA),
    Constant("pace", "_OVER", "the pace, as a share of the measured rate", QUOTA, "1", "1.1"),
    Constant("pace", "_FIRST", "the first pace, as a share of what was accepted of late", QUOTA, "0.7", "1.1"),
    Constant("pace", "_RECENT", "of late: so many seconds", QUOTA),
    Constant("pace", "_ENOUGH", "accepted requests that a measurement spans", QUOTA),
    Constant("pace", "_LONGEST_SPAN", "seconds that it spans at most", QUOTA),
    Constant("pace", "_FEWEST", "accepted requests that a measurement needs", QUOTA),
    Constant("pace", "_LEAST_MEASURED", "the least pace that is measured, as a share of the least guessed", QUOTA),
    Constant("pace", "_BURST", "seconds' worth that may go up at once", QUOTA),
    Constant("pace", "_SLOW_GROWTH", "growth a second soon after a refusal", QUOTA),
    Constant("pace", "_GROWTH_PER_REQUEST", "the same, at most for each request", QUOTA),
    Constant("pace", "_GROWTH", "growth a second later", QUOTA),
    Constant("pace", "_CALM", "soon: so many seconds", QUOTA),
    Constant("pace", "_CALM_REQUESTS", "soon: so many requests", QUOTA),
    Constant("pace", "_FORGOTTEN", "seconds without a refusal until the pace is forgotten", QUOTA),
    Constant("pace", "_LOWER", "what a refusal leaves of a pace that is not measured", QUOTA, "0.7", "0.95"),
    Constant("pace", "_LONGEST_STEP", "seconds that growth counts at once at most", QUOTA),
    Constant("pace", "_ILL", "round trips with nothing but refusals that may end in a recovery", QUOTA),
    Constant("pace", "_ILL_FOR", "seconds that they must last for that", QUOTA),
    Constant("pace", "_EPSILON", "seconds, against errors of rounding", ()),
    Constant("quotas", "_LONGEST_HINT", "seconds that a retry hint is respected for; none here is longer", ()),
    Constant(
        "quotas",
        "_NEWS",
        "less of a quota than other replicas know of, as a share of it, that is shared with them",
        (),
    ),
    Constant(
        "quotas", "_HINT_JITTER", "the share that is added to a hint at most, at random; for several bridges", ()
    ),
    Constant("quotas", "_LARGER", "refused requests so many times as large show a quota of tokens", QUOTA, "1.2"),
    Constant("quotas", "_LEAST_REQUESTS", "the least pace, in requests a second", QUOTA),
    Constant("quotas", "_FOLLOW", "how fast the means of sizes follow", QUOTA),
    Constant("quotas", "_BELIEVED", "seconds that a quota header is believed for", QUOTA),
    Constant("quotas", "_MINUTE", "a minute, in seconds: quotas are per minute", ()),
    Constant("quotas", "_EPSILON", "seconds, against errors of rounding", ()),
    Constant("patience", "_REQUESTS", "the last requests of a caller that left, whose median wait counts"),
    Constant("patience", "_CALLERS", "callers that are remembered; bounds memory", ()),
    Constant("patience", "_SHARE", "expected patience as a share of that median", LOAD, "0.8", "1"),
    Constant("patience", "_TO_BEGIN", "seconds that are left for the answer to begin"),
    Constant("patience", "_LONGER", "the same, as a multiple of the mean time to begin", ()),
    Constant("patience", "_FOLLOW", "how fast that mean follows", ()),
    Constant("patience", "_LEAST", "seconds of patience at least"),
    Constant("resend_budget", "_SHARE", "requests that may be sent again, as a share of those that come"),
    Constant("resend_budget", "_LEAST", "requests that may be sent again in any case, a second"),
    Constant("resend_budget", "_FIRST", "the credit at first, in requests"),
    Constant("resend_budget", "_MOST", "the credit at most"),
    Constant("own_keys", "_KEYS", "callers' own keys that are remembered; bounds memory", ()),
    Constant("line", "_MOST_PARKED", "callers that are parked at once; bounds the work", ()),
    Constant("line", "_OUT_OF_DATE", "scheduled ends out of date that are kept; bounds memory", ()),
    Constant("comeback", "_SPAN", "seconds over which the rate of turns is measured, for `Retry-After`", ()),
    Constant("comeback", "_SHORTEST", "the shortest `Retry-After`, in seconds", ()),
    Constant("comeback", "_LONGEST", "the longest `Retry-After`, in seconds", ()),
    Constant("comeback", "_UNKNOWN", "the `Retry-After` while no answer begins, in seconds", ()),
    Constant("comeback", "_ANSWERS_SPAN", "the same of answers", ()),
    Constant("comeback", "_TRUSTED", "seconds for which the rate from before counts", ()),
    Constant("limiter", "LONGEST_HOLD", "seconds that a request is held at most", LOAD, "30"),
    Constant("limiter", "LINE_SIZE", "held requests of a provider; bounds memory", ()),
    Constant("limiter", "NEARLY_SPENT", "the share of a quota at which its headers begin to count", QUOTA),
    Constant(
        "limiter", "_LEAST_RATE", "turns a second where no answer has begun of late; lines are compared by it", ()
    ),
    Constant("governor_snapshot", "_OUT_OF_DATE", "seconds after which saved knowledge counts no more", ()),
    Constant("limiter", "_NEXT_TURNS", "seconds until work that one event leaves for later goes on", ()),
    Constant("limiter", "_FIRST_REST", "seconds before a request is sent again, if load is not the cause"),
    Constant("limiter", "_LONGEST_REST", "the same at most, after several attempts"),
    Constant(
        "limiter",
        "_REST_FROM _REST_TO",
        "a rest is between these times as long, at random",
        LOAD,
        "1 1",
        "0.5 1.5",
    ),
)
