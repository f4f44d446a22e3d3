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


def to_peer(quantity: str, peer: str) -> Measure:
    """Return what measures a bridge's quantity by a peer's."""
    return lambda readings, bridge: readings.ratio(bridge, quantity, peer)


def to_own(quantity: str, other: str) -> Measure:
    """Return what measures a bridge's quantity by another one of its own."""
    return lambda readings, bridge: readings.ratio(bridge, quantity, bridge, other)


def plain(quantity: str, scale: float = 1.0) -> Measure:
    """Return what measures a bridge's quantity as it is, times `scale`."""

    def measure(readings: Readings, bridge: str) -> float | None:
        value = readings.median(bridge, quantity)
        return None if value is None else value * scale

    return measure


def _rejects(reason: str) -> Bound:
    return Bound(to_own(f"cpu_us_per_{reason}", "cpu_us_per_served"), "{}", 1 / 3, 1 / 4, case=f"`{reason}`")


_RATE, _EVENT = "requests_per_s@32", "cpu_us_per_event@50"
ROWS = (
    Row(
        "requests/s at 32 in flight",
        (
            Bound(to_peer(_RATE, "envoy"), "{} × Envoy", 0.3, 0.5, at_least=True),
            Bound(to_peer(_RATE, "portkey"), "{} × Portkey", must=3, at_least=True),
            Bound(to_peer(_RATE, "litellm"), "{} × LiteLLM", must=30, at_least=True),
            Bound(to_peer(_RATE, "smg"), "{} × SMG", goal=0.8, at_least=True),
        ),
    ),
    Row(
        "CPU per relayed event, 50 streams × 40/s",
        (
            Bound(to_peer(_EVENT, "envoy"), "{} × Envoy", 3.5, 2.5),
            Bound(to_peer(_EVENT, "litellm"), "{} × LiteLLM", must=1 / 8),
        ),
    ),
    Row(
        "added p50 of the first byte at 1 in flight",
        (Bound(to_peer("unary_added_p50_ms", "envoy"), "{} × what Envoy adds", 4, 2),),
    ),
    Row(
        "CPU per request with 5,000 idle streams ÷ with 10",
        (Bound(to_own("cpu_us_with_5000_streams", "cpu_us_with_10_streams"), "{}", 1.2, 1.05),),
    ),
    Row("CPU per reject ÷ per served request", tuple(map(_rejects, ("capacity", "rate_limit", "circuit_open")))),
    Row(
        "provider slots kept busy at 10 × offered load",
        (Bound(plain("load_slots_busy@10", 100), "{} %", 95, 99, at_least=True),),
    ),
    Row(
        "p99 of the admitted at 10 × offered load ÷ unloaded",
        (Bound(to_own("load_p99_ms@10", "load_p99_ms@0.25"), "{}", 1.5, 1.2),),
    ),
    Row("memory per open stream", (Bound(plain("memory_kb_per_streams@5000"), "{} kB", 40, 25),)),
    Row("start to first answer", (Bound(plain("start_s"), "{} s", 0.8, 0.5),)),
    Row("resident idle", (Bound(plain("resident_mib"), "{} MiB", 60, 45),)),
)


def judge(readings: Readings, bridge: str, rows: Sequence[Row] = ROWS) -> list[Judged]:
    """Return how a bridge stands in each row. A bound whose peer was not there is left out."""
    return [_judge(readings, bridge, row) for row in rows]


def _judge(readings: Readings, bridge: str, row: Row) -> Judged:
    found = [(bound, value) for bound in row.bounds if (value := bound.measure(readings, bridge)) is not None]
    if not found:
        verdict = Verdict.UNKNOWN
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
