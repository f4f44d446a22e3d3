"""What the bridge is held to: each row's musts and goals, and whether a run meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.compare.readings import Readings, short

# Readings and a bridge's name → the number that is judged.
Measure = Callable[[Readings, str], float | None]


class Verdict(StrEnum):
    """How a row stands."""

    GOAL = "goal met"
    MUST = "must met"
    MISSED = "missed"
    UNKNOWN = "not measured"
    UNBOUND = "no target"


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit: `at_least` or at most `must` and `goal`; `form` shows a number, as in `{} × Envoy`.

    `case` tells measured numbers apart that share their limits.
    """

    measure: Measure
    form: str
    must: float | None = None
    goal: float | None = None
    at_least: bool = False
    case: str = ""

    def shown(self, number: float) -> str:
        """Return the number as it stands in a table."""
        return self.form.format(short(number)) + (f" ({self.case})" if self.case else "")

    def limit(self, number: float | None) -> str:
        """Return a limit as it stands in a table."""
        return "" if number is None else f"{'≥' if self.at_least else '≤'} {self.form.format(short(number))}"

    def holds(self, value: float, limit: float | None) -> bool:
        """Tell whether a value keeps to a limit; there may be none."""
        return limit is None or (value >= limit if self.at_least else value <= limit)


@dataclass(frozen=True, slots=True)
class Row:
    """One target; all its bounds have to hold."""

    what: str
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A row as a bridge stands in it."""

    what: str
    must: str
    goal: str
    measured: str
    verdict: Verdict


def to_peer(quantity: str, peer: str, other: str | None = None) -> Measure:
    """Return what measures a bridge's quantity by a peer's, the same or `other` one."""
    return lambda readings, bridge: readings.ratio(bridge, quantity, peer, other)


def to_own(quantity: str, other: str) -> Measure:
    """Return what measures a bridge's quantity by another one of its own."""
    return lambda readings, bridge: readings.ratio(bridge, quantity, bridge, other)


def plain(quantity: str, scale: float = 1.0) -> Measure:
    """Return what measures a bridge's quantity as it is, times `scale`."""

    def measure(readings: Readings, bridge: str) -> float | None:
        value = readings.median(bridge, quantity)
        return None if value is None else value * scale

    return measure


_RATE, _EVENT = "requests_per_s@32", "cpu_us_per_event{}@50"


def _event(case: str, which: str) -> Bound:
    return Bound(to_peer(_EVENT.format(which), "envoy"), "{} × Envoy", 1.8, 1.55, case=case)


def _reject(reason: str, must: float | None = None, goal: float | None = None) -> Bound:
    measure = to_peer(f"cpu_us_per_{reason}", "envoy", "cpu_us_per_served")
    return Bound(measure, "{} × Envoy", must, goal, case=f"`{reason}`")


# What the data path is held to: one core each, side by side.
DATA_PATH = (
    Row(
        "requests/s at 32 in flight",
        (
            Bound(to_peer(_RATE, "envoy"), "{} × Envoy", 0.4, 0.6, at_least=True),
            Bound(to_peer(_RATE, "smg"), "{} × SMG", 1.2, 1.6, at_least=True),
            Bound(to_peer(_RATE, "portkey"), "{} × Portkey", must=3, at_least=True),
            Bound(to_peer(_RATE, "litellm"), "{} × LiteLLM", must=30, at_least=True),
        ),
    ),
    Row(
        "CPU per request at 32 in flight, each pinned to its core",
        (Bound(to_peer("cpu_us@32", "envoy"), "{} × Envoy"),),
    ),
    Row(
        "CPU per reject ÷ Envoy's served request",
        (_reject("rate_limit", 1.0, 0.5), _reject("capacity"), _reject("circuit_open")),
    ),
    Row(
        "CPU per relayed event, 50 streams × 40/s",
        (
            _event("with `include_usage`", ""),
            _event("without", "_without_usage"),
            Bound(to_peer(_EVENT.format(""), "litellm"), "{} × LiteLLM", must=1 / 8),
        ),
    ),
    Row(
        "added p50 of the first byte at 1 in flight",
        (Bound(to_peer("unary_added_p50_ms", "envoy"), "{} × what Envoy adds", 2, 1.5),),
    ),
    Row("memory per open stream", (Bound(plain("memory_kb_per_streams@5000"), "{} kB", 25, 20),)),
    Row("memory per idle connection", (Bound(plain("memory_kb_per_connections@5000"), "{} kB", 8, 5),)),
    Row("start to first answer", (Bound(plain("start_s"), "{} s", 0.25, 0.2),)),
)
ROWS = (
    *DATA_PATH,
    Row(
        "CPU per request with 5,000 idle streams ÷ with 10",
        (Bound(to_own("cpu_us_with_5000_streams", "cpu_us_with_10_streams"), "{}", 1.2, 1.05),),
    ),
    Row(
        "provider slots kept busy at 10 × offered load",
        (Bound(plain("load_slots_busy@10", 100), "{} %", 95, 99, at_least=True),),
    ),
    Row(
        "p99 of the admitted at 10 × offered load ÷ unloaded",
        (Bound(to_own("load_p99_ms@10", "load_p99_ms@0.25"), "{}", 1.5, 1.2),),
    ),
    Row("resident idle", (Bound(plain("resident_mib"), "{} MiB", 60, 45),)),
)


def judge(readings: Readings, bridge: str, rows: Sequence[Row] = ROWS) -> list[Judged]:
    """Return how a bridge stands in each row. A bound whose peer was not there is left out."""
    return [_judge(readings, bridge, row) for row in rows]


def _judge(readings: Readings, bridge: str, row: Row) -> Judged:
    found = [(bound, value) for bound in row.bounds if (value := bound.measure(readings, bridge)) is not None]
    if not found:
        verdict = Verdict.UNKNOWN
    elif all(bound.must is None and bound.goal is None for bound in row.bounds):
        verdict = Verdict.UNBOUND
    elif not all(bound.holds(value, bound.must) for bound, value in found):
        verdict = Verdict.MISSED
    elif all(bound.holds(value, bound.goal) for bound, value in found):
        verdict = Verdict.GOAL
    else:
        verdict = Verdict.MUST
    return Judged(
        what=row.what,
        must=_once(bound.limit(bound.must) for bound in row.bounds),
        goal=_once(bound.limit(bound.goal) for bound in row.bounds),
        measured=", ".join(bound.shown(value) for bound, value in found) or "–",
        verdict=verdict,
    )


def _once(limits: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, limits)))
