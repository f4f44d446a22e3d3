"""What is compared: a section for each default, with scenarios where it matters, and other values."""

from __future__ import annotations

from typing import NamedTuple

from aibridge_trio.simulate.plan import SHIPPED
from aibridge_trio.simulate.run import AIBRIDGE
from tools.tuning import constants
from tools.tuning.days import DAYS, KEPT_APART, USUAL


class Row(NamedTuple):
    """One row: its label, the settings that differ from the scenario's, and the policy.

    `constants` are those of core/adaptive that have another value, as `MODULE.NAME=VALUE`, separated by spaces.
    """

    label: str
    settings: str
    policy: str = AIBRIDGE
    constants: str = ""


class Section(NamedTuple):
    """Rows that are compared with the `chosen` one in each of some scenarios, on the same `days` of each.

    `head` is their column's heading.
    """

    name: str
    head: str
    scenes: tuple[str, ...]
    rows: tuple[Row, ...]
    chosen: str
    days: tuple[int, ...] = DAYS


def _option(name: str, values: str, chosen: str, *scenes: str) -> Section:
    """A section for one option; `values` are separated by spaces."""
    rows = tuple(Row(value, f"{name}={value}") for value in values.split())
    return Section(name, f"`{name}`", scenes, rows, chosen)


def _grid(name: str, first: str, second: str, pairs: str, chosen: str, *scenes: str) -> Section:
    """A section for two options, with pairs of values `A/B`."""
    rows = tuple(
        Row(f"{one} / {other}", f"{first}={one} {second}={other}")
        for one, _, other in (pair.partition("/") for pair in pairs.split())
    )
    return Section(name, f"`{first}` / `{second}`", scenes, rows, chosen)


_NO_LIMITS = "max_concurrency=0 queue_size=0"
_WITHOUT_BREAKER = "circuit_breaker=false"
NONE, LIMITS, ADAPTIVE, CLAIRVOYANT = "no protection", "limit, queue, breaker", "adaptive", "clairvoyant"
# The shipped scenarios enable a limit, a queue and the breaker.
_NONE, _LIMITS = Row(NONE, "", "none"), Row(LIMITS, "")
_ADAPTIVE, _CLAIRVOYANT = Row(ADAPTIVE, "", "adaptive"), Row(CLAIRVOYANT, "", "clairvoyant")
POLICIES = Section(
    "policies",
    "policy",
    ("outage", "brownout", "quota", "flash-crowd", "greedy-caller", "flapping"),
    (
        _NONE,
        Row("go-aibridge", "", "go-aibridge"),
        Row("litellm", "", "litellm"),
        Row("limit", f"queue_size=0 {_WITHOUT_BREAKER}"),
        Row("limit, queue", _WITHOUT_BREAKER),
        Row("breaker", _NO_LIMITS),
        _LIMITS,
        _ADAPTIVE,
        _CLAIRVOYANT,
    ),
    NONE,
)
# Each compares --adaptive with the bound and with no protection. What is kept apart sets no limits.
COMPARED = (
    Section("adaptive", "policy", SHIPPED, (_NONE, _LIMITS, _ADAPTIVE, _CLAIRVOYANT), ADAPTIVE),
    Section("kept_apart", "policy", KEPT_APART, (_NONE, _ADAPTIVE, _CLAIRVOYANT), ADAPTIVE),
)
# Each constant of core/adaptive with a lower and a higher value, by the scenarios it is tried in.
CONSTANTS = tuple(
    Section(
        name,
        "constant",
        scenes,
        (_ADAPTIVE, _CLAIRVOYANT, *(Row(each, "", "adaptive", each) for each in constants.changes(scenes))),
        ADAPTIVE,
        (USUAL,),
    )
    for name, scenes in (("constants_load", constants.LOAD), ("constants_quota", constants.QUOTA))
)
_BREAKER = "circuit_breaker_"
GROWTH = _grid(
    "growth",
    f"{_BREAKER}growth",
    f"{_BREAKER}stretch",
    "1/1.5 1.25/1.5 1.25/10 2/1.5 2/10",
    "1.25 / 1.5",
    *("outage", "brownout", "flapping"),
)
SECTIONS = (
    POLICIES,
    GROWTH,
    _option(f"{_BREAKER}max_cooldown", "1m 5m 10m", "5m", "outage", "outage, true word", "outage, says 10m"),
    _option("queue_size", "0 25 100 400", "0", "flash-crowd", "greedy-caller", "brownout"),
    _option("queue_timeout", "2s 10s 30s", "10s", "flash-crowd", "greedy-caller"),
    _grid(
        "shares",
        "max_concurrency_per_caller",
        "queue_size",
        "0/0 2/0 4/0 0/100 4/100",
        "0 / 0",
        *("greedy-caller", "day"),
    ),
    _option(f"{_BREAKER}ramp", "0s 30s 1m", "0s", "outage", "brownout"),
    Section(
        "ramp_alone",
        f"`{_BREAKER}ramp`, no limit",
        ("outage", "brownout"),
        tuple(Row(value, f"{_NO_LIMITS} {_BREAKER}ramp={value}") for value in ("0s", "30s", "2m")),
        "0s",
    ),
    Section(
        f"{_BREAKER}429",
        f"`{_BREAKER}429`",
        ("quota, one over", "quota", "quota of an account"),
        (
            Row("provider", f"{_BREAKER}429=provider"),
            Row("credential", f"{_BREAKER}429=credential"),
            Row("(no breaker)", _WITHOUT_BREAKER),
            Row("(a limit of 40)", f"{_BREAKER}429=provider max_concurrency=40"),
            Row("(adaptive)", "", "adaptive"),
        ),
        "provider",
    ),
    _option(f"{_BREAKER}slow_first_byte", "0s 5s 20s", "0s", "slow"),
    _option(f"{_BREAKER}failure_threshold", "1 5 20", "5", "outage", "quota", "long-streams"),
    _option(
        f"{_BREAKER}failure_share", "0 0.25 0.5", "0", "outage", "brownout", "long-streams", "load-independent"
    ),
    _option(f"{_BREAKER}window", "5s 10s 30s", "10s", "outage", "quota", "long-streams"),
    _option(f"{_BREAKER}cooldown", "10s 30s 60s", "30s", "outage", "brownout", "flapping", "long-streams"),
    _option(f"{_BREAKER}half_open_max_requests", "1 3 10", "3", "outage", "flapping"),
)
