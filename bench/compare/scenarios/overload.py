"""More callers than the provider can serve: how much of it is used, and how the admitted fare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from bench.compare.arrivals import Arrivals
from bench.compare.behaviour import Behaviour, Counts
from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.peers import aibridge as bridge
from bench.compare.process import Failed
from bench.compare.readings import Reading, percentile
from bench.compare.running import Running
from bench.compare.turns import in_turns

# 40 slots of 200 ms are 200 requests a second, so that ten times as many are not too much for the bridge's CPU.
SLOTS, SERVICE = 40, 0.2
CAPACITY = SLOTS / SERVICE
LOADS = (1, 3, 10)
# The load without contention.
UNLOADED = 0.25
# Ten times the service: the callers' patience, which only the straight way tries.
_PATIENCE = 10 * SERVICE
# Seconds until a load has become steady.
_WARM = 1.5
_OK = 200


@dataclass(frozen=True, slots=True)
class _Offered:
    name: str
    load: float


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    counts: Counts
    cpu: float


def measure(lab: Lab, peers: Sequence[Peer], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield what each load (`@10`: ten times what the provider can do) comes to, of every bridge and straight.

    `load_p50_ms` and `load_p99_ms` are of the served, `load_reject_p99_ms` of the rejected. `load_goodput` is what
    was served in time and `load_slots_busy` what was worked on, of what the provider can do; `load_cpu` is the
    share of the bridge's core.
    """
    lab.provider.behave(Behaviour(service=SERVICE, slots=SLOTS))
    yield from _loads(lab, lab.straight(), rounds, seconds)
    for peer in (each for each in peers if each.ours):
        options = ("--max-concurrency", str(SLOTS), *bridge.RATE, *bridge.BREAKER)
        try:
            with lab.run(bridge.peer(peer.executable, peer.name, options)) as running:
                yield from _loads(lab, running, rounds, seconds)
        except Failed as failed:
            lab.note(peer.name, str(failed))


def _loads(lab: Lab, running: Running, rounds: int, seconds: float) -> Iterator[Reading]:
    def work(each: _Offered, number: int) -> Iterator[Reading]:
        # The few that come unloaded need longer to have a 99th percentile.
        found = _load(lab, running, each.load, seconds * (2 if each.load == UNLOADED else 1))
        return (Reading(running.name, quantity, value, number) for quantity, value in found)

    yield from in_turns([_Offered(running.name, load) for load in (UNLOADED, *LOADS)], rounds, work, lab)


def _load(lab: Lab, each: Running, load: float, seconds: float) -> Iterator[tuple[str, float]]:
    marks: list[_Mark] = []

    def mark() -> None:
        marks.append(_Mark(perf_counter(), lab.provider.counts(), each.cpu()))

    each.calm()
    arrivals = Arrivals(each.port, each.request(stream=False), rate=load * CAPACITY, patience=_PATIENCE)
    outcomes = arrivals.run(_WARM + seconds, [(_WARM, mark), (_WARM + seconds, mark)])
    begin, end = marks
    passed = end.at - begin.at
    counted = [outcome for outcome in outcomes if outcome.at >= begin.at]
    served = [outcome.seconds for outcome in counted if outcome.status == _OK]
    yield f"load_goodput@{load}", len(served) / passed / CAPACITY
    if served:
        yield f"load_p50_ms@{load}", percentile(served, 50) * 1e3
        yield f"load_p99_ms@{load}", percentile(served, 99) * 1e3
    yield f"load_slots_busy@{load}", (end.counts.busy - begin.counts.busy) / passed / SLOTS
    if each.process:
        yield f"load_cpu@{load}", (end.cpu - begin.cpu) / passed
    turned = [outcome.seconds for outcome in counted if outcome.status not in {_OK, 0}]
    if turned:
        yield f"load_reject_p99_ms@{load}", percentile(turned, 99) * 1e3
