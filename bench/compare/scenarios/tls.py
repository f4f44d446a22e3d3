"""TLS: what encrypting costs beside plain HTTP, to the callers (`front`) and to the provider (`behind`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.compare import certificate
from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.peers import TLS, Peer
from bench.compare.process import Failed
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.turns import in_turns

_IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class _Way:
    name: str
    side: str
    running: Running


def measure(lab: Lab, peers: Sequence[Peer], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `requests_per_s_tls_SIDE` and `cpu_us_tls_SIDE` at 32 in flight of those that speak TLS.

    SIDE is plain, front or behind. Connections are kept, so it is records that cost, not handshakes.
    """
    lab.provider.behave(Behaviour())
    try:
        file = certificate.make(lab.scratch / "certificate.pem")
    except Failed as failed:
        lab.note("tls", str(failed))
        return
    sides = {"plain": None, "front": TLS(file, front=True), "behind": TLS(file, behind=True)}
    with ExitStack() as stack:
        provider = stack.enter_context(lab.provider_over_tls(file))
        ways = []
        for peer in (each for each in peers if each.tls):
            for side, tls in sides.items():
                try:
                    running = stack.enter_context(lab.run(peer, tls, provider if side == "behind" else None))
                except Failed as failed:
                    lab.note(f"{peer.name}, TLS {side}", str(failed))
                    continue
                ways.append(_Way(peer.name, side, running))
                running.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=1)

        def work(way: _Way, number: int) -> Iterator[Reading]:
            way.running.calm()
            loop, used = way.running.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=seconds)
            loop.check()
            yield Reading(way.name, f"requests_per_s_tls_{way.side}", loop.requests / loop.seconds, number)
            yield Reading(way.name, f"cpu_us_tls_{way.side}", used / loop.requests * 1e6, number)

        yield from in_turns(ways, rounds, work, lab)
