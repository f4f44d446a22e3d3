"""Batches at random, for stores that must agree: few replicas and keys, so that they meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from aibridge_trio.core.sharing.wire import Batch, Op, Reply

# A Monday in the last minute before midnight; the last of a month.
BEGIN = 1_793_577_570.0
TTL = 3.0
_KEYS = st.sampled_from(["slots", "caller:a", "caller:b"])
_AMOUNTS = st.integers(0, 4)
_SPANS = st.sampled_from([0.5, 1.0, 60.0, 3_600])
_COUNTS = st.sampled_from([0, 1, 1, 1, 2, 30, 400])
_FLAGS = st.integers(0, 1)
_RATES = st.sampled_from([0, 1, 2, 5, 100, 300])
_NAMES = st.sampled_from(["r", "t"])
_BUDGETS = st.sampled_from(["x", "y"])

HOLDINGS = st.lists(st.tuples(_KEYS, st.integers(0, 6), _AMOUNTS, _FLAGS).map(list), max_size=3)
USES = st.lists(st.tuples(_NAMES, _RATES, _SPANS, _COUNTS, _FLAGS, _FLAGS).map(list), max_size=3)
BUDGETS = st.one_of(
    st.just(0),
    st.tuples(_BUDGETS, st.sampled_from([0, 50, 500]), st.sampled_from(["day", "week", "month"]), _COUNTS).map(
        list
    ),
)
HELD = st.dictionaries(
    st.sampled_from(["slots", "caller:a", "use:1:t", "use:60:t", "budget:x"]), st.integers(0, 30), max_size=4
)


def _op(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Op]:
    return st.tuples(st.just(name), *arguments).map(list)


# `at` counts from the last times of a run: see Run.batch.
UNCOUNTED = st.lists(st.tuples(_NAMES, _SPANS, st.integers(1, 5)).map(list), max_size=2)
ASKS = _op("ask", HOLDINGS, USES, BUDGETS)
LEAVES = _op(
    "leave",
    st.lists(st.tuples(_KEYS, _AMOUNTS).map(list), max_size=3),
    st.lists(st.tuples(_NAMES, _SPANS, _COUNTS, _COUNTS).map(list), max_size=2),
    st.one_of(st.just(0), st.tuples(_BUDGETS, _COUNTS, _COUNTS).map(list)),
    UNCOUNTED,
)
OTHERS = st.one_of(
    _op("totals", st.lists(_KEYS, max_size=3), st.lists(_KEYS, max_size=2)),
    _op("totals", st.just(["slots"]), st.just(["slots"])),
    _op("tally", _NAMES, _SPANS, st.lists(st.integers(0, 3), min_size=2, max_size=2)),
    _op(
        "set",
        st.sampled_from(["breaker", "t"]),
        st.sampled_from(["", "k"]),
        st.integers(-1, 3),
        st.sampled_from(["1", '{"ä/":[]}']),
        st.sampled_from([0, 5.0, 60]),
    ),
    _op("claim", _NAMES, st.sampled_from([0, 0.5, 20])),
)
OPS = st.lists(st.one_of(ASKS, LEAVES, OTHERS), max_size=4)


@dataclass(frozen=True)
class Step:
    """What one replica sends, so long after the last step."""

    later: float
    replica: str
    kind: str
    held: dict[str, int]
    ops: list[Op]


_LATER = st.sampled_from(
    [0.0, 0.0, 0.001, 0.25, 0.3, 1.0, 1.1, 2.9, 3.0, 61.0, 4_000.0, 90_000.0, -10.0, -200_000.0]
)
_KINDS = st.sampled_from(["ok"] * 8 + ["late", "register", "returned", "other", "forget", "deaf"])
STEPS = st.lists(
    st.builds(Step, _LATER, st.sampled_from(["a", "b", "c"]), _KINDS, HELD, OPS), min_size=1, max_size=30
)


@dataclass
class Run:
    """The replicas of one run: numbers, generation and messages as each knows them."""

    now: float = BEGIN
    numbers: dict[str, int] = field(default_factory=dict)
    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    def batch(self, step: Step) -> Batch:
        """Return the batch of a step; a replica that is not known registers."""
        self.now = round(self.now + step.later, 6)
        ops = [self._timed(op) for op in step.ops]
        number = self.numbers.get(step.replica, 0) + (step.kind != "late")
        self.numbers[step.replica] = number
        if step.kind in {"register", "returned"} or step.replica not in self.known:
            before = "" if step.kind == "register" else self.known.get(step.replica, ("before", 0))[0]
            return Batch(step.replica, number, before, TTL, -1, [["register", step.held], *ops])
        generation, since = self.known[step.replica]
        if step.kind == "forget":
            ops.append(["forget"])
        return Batch(
            step.replica,
            number,
            "another" if step.kind == "other" else generation,
            TTL,
            -1 if step.kind == "deaf" else since,
            ops,
        )

    def note(self, batch: Batch, reply: Reply) -> None:
        """Learn what the replica learns."""
        self.times.append(reply.time)
        if reply.status == "lost":
            self.known.pop(batch.replica, None)
        elif reply.status == "ok" and batch.ops and batch.ops[0][0] == "register":
            self.known[batch.replica] = reply.generation, reply.results[0][0]
        elif reply.status == "ok" and reply.messages and batch.replica in self.known:
            self.known[batch.replica] = reply.generation, reply.messages[-1][0]

    def _timed(self, op: Op) -> Op:
        if op[0] != "leave":
            return op
        times = [0.0, *self.times]
        return [*op[:4], [[key, span, times[-min(back, len(times))]] for key, span, back in op[4]]]
