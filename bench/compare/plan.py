"""The order of work: which scenarios there are, for how long, and on which proxies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.process import Failed
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.scenarios import crowd, events, latency, overload, rejects, requests, startup

# All proxies run at once for these, each is idle while it is another's turn.
_TOGETHER = ("requests", "latency", "events")
SCENARIOS = (*_TOGETHER, "rejects", "overload", "crowd", "startup")
# These ask with wrk.
WITH_WRK = frozenset({"requests", "rejects", "crowd"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and for how many seconds CPU is measured, and a load that has to get steady."""

    rounds: int
    seconds: float
    load_seconds: float


FULL = Pace(rounds=3, seconds=2, load_seconds=5)
QUICK = Pace(rounds=2, seconds=1, load_seconds=3)


def perform(lab: Lab, peers: Sequence[Peer], only: Collection[str], pace: Pace) -> Iterator[tuple[str, Reading]]:
    """Yield the scenarios' readings, each with the scenario's name."""
    if set(only) & set(_TOGETHER):
        with ExitStack() as stack:
            running = list(_start(lab, peers, stack))
            for name in _TOGETHER:
                if name in only:
                    for reading in _together(name, lab, running, pace):
                        yield name, reading
    for name in SCENARIOS:
        if name in only and name not in _TOGETHER:
            for reading in _alone(name, lab, peers, pace):
                yield name, reading


def _start(lab: Lab, peers: Sequence[Peer], stack: ExitStack) -> Iterator[Running]:
    for peer in peers:
        try:
            yield stack.enter_context(lab.run(peer))
        except Failed as failed:
            lab.note(peer.name, str(failed))


def _together(name: str, lab: Lab, running: Sequence[Running], pace: Pace) -> Iterator[Reading]:
    match name:
        case "requests":
            return requests.measure(lab, [lab.straight(), *running], rounds=pace.rounds, seconds=pace.seconds)
        case "latency":
            return latency.measure(lab, running, rounds=pace.rounds)
        case _:
            return events.measure(lab, running, rounds=pace.rounds, seconds=pace.seconds)


def _alone(name: str, lab: Lab, peers: Sequence[Peer], pace: Pace) -> Iterator[Reading]:
    match name:
        case "rejects":
            return rejects.measure(lab, peers, rounds=pace.rounds, seconds=pace.seconds)
        case "overload":
            return overload.measure(lab, peers, rounds=pace.rounds, seconds=pace.load_seconds)
        case "crowd":
            return crowd.measure(lab, peers, rounds=pace.rounds, seconds=pace.seconds)
        case _:
            return startup.measure(lab, peers, rounds=pace.rounds)
