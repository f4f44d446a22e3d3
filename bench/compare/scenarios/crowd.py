"""A crowd that does nothing: what thousands of silent streams and idle connections cost the requests of others."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import mean

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings
from bench.compare.running import Running
from bench.compare.streams import Streams
from bench.compare.turns import DISTURBANCE, in_turns

FEW = 10
CROWDS = (("streams", FEW), ("streams", 1000), ("streams", 5000), ("connections", 5000))
# Each silent stream has said something before.
_EVENTS = 5
_IN_FLIGHT = 32
# Seconds; the least that wrk can do.
_TURN = 1
# Connections that are asked at once while the crowd gathers: fewer than any proxy's backlog.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Crowded:
    name: str
    running: Running
    quantity: str


def measure(
    lab: Lab, peers: Sequence[Peer], *, rounds: int, seconds: float, crowds: Sequence[tuple[str, int]] = CROWDS
) -> Iterator[Reading]:
    """Yield `cpu_us_with_N_KIND` (CPU per request) and `memory_kb_per_KIND@N`; KIND is streams or connections.

    Each crowd has a proxy of its own, so that they can be measured in turns; the first one is the smallest.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Both kinds are held by this process, and each stream by the proxy twice.
    bearable = most // 2 - 500
    for peer in filter(lambda each: each.crowd, peers):
        try:
            borne = [each for each in crowds if each[1] <= min(peer.crowd, bearable)]
            yield from _measure(lab, peer, borne, round(rounds * seconds / _TURN))
        except Failed as failed:
            lab.note(peer.name, str(failed))
        if peer.crowd > bearable:
            lab.note(peer.name, f"only {bearable} streams: `ulimit -n` is {most}")


def _measure(lab: Lab, peer: Peer, crowds: Sequence[tuple[str, int]], rounds: int) -> Iterator[Reading]:
    with ExitStack() as stack:
        everyone: list[_Crowded] = []
        few = 0
        for kind, size in crowds:
            running = stack.enter_context(lab.run(peer))
            lab.provider.behave(Behaviour())
            _loop(lab, running, 1)
            lab.provider.behave(Behaviour(events=_EVENTS, hold=True))
            _gather(stack.enter_context(Streams(running.port, running.request(stream=True))), kind, size)
            running.calm()
            resident = running.resident()
            if size == FEW:
                few = resident
            else:
                yield Reading(peer.name, f"memory_kb_per_{kind}@{size}", (resident - few) / (size - FEW) / 1e3)
            everyone.append(_Crowded(peer.name, running, f"cpu_us_with_{size}_{kind}"))

        def work(each: _Crowded, number: int) -> Iterator[Reading]:
            yield Reading(peer.name, each.quantity, _loop(lab, each.running, _TURN), number)

        # Many short turns, since the differences looked for are small; and their mean, since what a crowd costs
        # may come seldom and all at once, as a collector of garbage does.
        found = Readings(in_turns(everyone, rounds, work, lab))
        for each in everyone:
            if turns := found.values(peer.name, each.quantity):
                yield Reading(peer.name, each.quantity, mean(turns.values()))
        yield from (each for each in found.all if each.quantity == DISTURBANCE)


def _gather(streams: Streams, kind: str, size: int) -> None:
    for opened in range(0, size, _AT_ONCE):
        number = min(_AT_ONCE, size - opened)
        streams.open(number, ask=kind == "streams")
        if kind == "streams":
            streams.expect((opened + number) * _EVENTS, 60)


def _loop(lab: Lab, each: Running, seconds: float) -> float:
    loop, used = each.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=seconds)
    loop.check()
    return used / loop.requests * 1e6
