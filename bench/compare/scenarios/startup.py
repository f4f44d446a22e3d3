"""From the command to the first answer, and what an idle proxy holds in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.readings import Reading
from bench.compare.turns import in_turns


def measure(lab: Lab, peers: Sequence[Peer], *, rounds: int) -> Iterator[Reading]:
    """Yield `start_s` and `resident_mib` of each; the first start fills the disk's cache and is not counted."""
    lab.provider.behave(Behaviour())

    def work(peer: Peer, number: int) -> Iterator[Reading]:
        running, seconds = lab.start(peer)
        running.calm()
        resident = running.resident()
        lab.stop(running)
        if number:
            yield Reading(peer.name, "start_s", seconds, number)
            yield Reading(peer.name, "resident_mib", resident / 2**20, number)

    yield from in_turns(peers, rounds + 1, work, lab)
