"""The order of work: which scenarios there are, for how long, and on which proxies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.process import Failed
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.scenarios import (
    crowd,
    events,
    latency,
    newcomers,
    overload,
    prompts,
    rejects,
    requests,
    startup,
    tls,
)

# All proxies run at once for these, each is idle while it is another's turn.
_TOGETHER = ("requests", "latency", "events", "prompts", "newcomers")
SCENARIOS = (*_TOGETHER, "tls", "rejects", "overload", "crowd", "startup")
# Proxies of some hundred requests a second would take minutes for these.
_FOR_FAST = frozenset({"prompts", "newcomers"})
# These ask with wrk.
WITH_WRK = frozenset({"requests", "prompts", "tls", "rejects", "crowd"})
# What the targets are judged by, and the peers that they name.
FOR_TARGETS = ("requests", "latency", "events", "rejects", "crowd", "startup")
BESIDE_FOR_TARGETS = ("envoy", "smg")


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and for how many seconds CPU is measured, and a load that has to get steady.

    `in_flight` are the loops of requests, `crowds` the silent ones.
    """

    rounds: int
    seconds: float
    load_seconds: float
    in_flight: tuple[int, ...] = requests.IN_FLIGHT
    crowds: tuple[tuple[str, int], ...] = crowd.CROWDS


FULL = Pace(rounds=3, seconds=1, load_seconds=4)
QUICK = Pace(rounds=2, seconds=1, load_seconds=3)
# Of what the targets name more than in a full run, and nothing else.
TARGETS = replace(FULL, seconds=2, in_flight=(32,), crowds=(crowd.CROWDS[0], *crowd.CROWDS[-2:]))


def perform(lab: Lab, peers: Sequence[Peer], only: Collection[str], pace: Pace) -> Iterator[tuple[str, Reading]]:
    """Yield the scenarios' readings, each with the scenario's name."""
    if set(only) & set(_TOGETHER):
        with ExitStack() as stack:
            running = list(_start(lab, peers, stack))
            fast = [each for each in running if each.name not in {peer.name for peer in peers if peer.slow}]
            for name in _TOGETHER:
                if name in only:
                    for reading in _together(name, lab, fast if name in _FOR_FAST else running, pace):
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
            everyone = [lab.straight(), *running]
            return requests.measure(
                lab, everyone, rounds=pace.rounds, seconds=pace.seconds, in_flight=pace.in_flight
            )
        case "latency":
            return latency.measure(lab, running, rounds=pace.rounds)
        case "prompts":
            return prompts.measure(lab, [lab.straight(), *running], rounds=pace.rounds, seconds=pace.seconds)
        case "newcomers":
            return newcomers.measure(lab, [lab.straight(), *running], rounds=pace.rounds)
        case _:
            return events.measure(lab, running, rounds=pace.rounds, seconds=pace.seconds)


def _alone(name: str, lab: Lab, peers: Sequence[Peer], pace: Pace) -> Iterator[Reading]:
    match name:
        case "tls":
            return tls.measure(lab, peers, rounds=pace.rounds, seconds=pace.seconds)
        case "rejects":
            return rejects.measure(lab, peers, rounds=pace.rounds, seconds=pace.seconds)
        case "overload":
            return overload.measure(lab, peers, rounds=pace.rounds, seconds=pace.load_seconds)
        case "crowd":
            return crowd.measure(lab, peers, rounds=pace.rounds, seconds=pace.seconds, crowds=pace.crowds)
        case _:
            return startup.measure(lab, peers, rounds=pace.rounds)
