"""Requests that the bridge turns away: what a no costs beside a yes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.peers import Peer
from bench.compare.peers import aibridge as bridge
from bench.compare.process import Failed
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.streams import Streams
from bench.compare.turns import in_turns

_IN_FLIGHT = 32
# What makes the bridge say no, by reason.
REASONS = {
    "capacity": ("--max-concurrency", "1", *bridge.RATE, *bridge.BREAKER),
    "rate_limit": (*bridge.CONCURRENCY, "--rate-limit", "1", *bridge.BREAKER),
    "circuit_open": (*bridge.CONCURRENCY, *bridge.RATE, *bridge.BREAKER),
}


@dataclass(frozen=True, slots=True)
class _Way:
    name: str
    reason: str
    running: Running


def measure(lab: Lab, peers: Sequence[Peer], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `cpu_us_per_served` and, for each reason, `cpu_us_per_REASON` at 32 in flight of every bridge.

    Envoy's `cpu_us_per_served` is measured in turn with them, in each bridge's rounds anew.
    """
    lab.provider.behave(Behaviour(hold=True))
    for peer in (each for each in peers if each.ours):
        try:
            yield from _measure(lab, peer, [each for each in peers if each.name == "envoy"], rounds, seconds)
        except Failed as failed:
            lab.note(peer.name, str(failed))


def _measure(lab: Lab, peer: Peer, beside: Sequence[Peer], rounds: int, seconds: float) -> Iterator[Reading]:
    with ExitStack() as stack:
        everyone = [_Way(each.name, "served", stack.enter_context(lab.run(each))) for each in beside]
        ways = {"served": stack.enter_context(lab.run(peer))}
        for reason, options in REASONS.items():
            ways[reason] = stack.enter_context(lab.run(bridge.peer(peer.executable, peer.name, options)))
        held = stack.enter_context(Streams(ways["capacity"].port, ways["capacity"].request(stream=True)))
        held.open(1)
        held.expect(1, 20)
        _open_breaker(ways["circuit_open"])
        everyone += [_Way(peer.name, reason, each) for reason, each in ways.items()]
        for way in everyone:
            way.running.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=1)

        def work(way: _Way, number: int) -> Iterator[Reading]:
            loop, used = way.running.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=seconds)
            served = loop.requests - loop.refused
            # The rate limit lets one a second through.
            if loop.broken or (loop.refused if way.reason == "served" else served > 2 * loop.seconds + 2):
                raise Failed(f"{way.reason}: {loop}")
            yield Reading(way.name, f"cpu_us_per_{way.reason}", used / loop.requests * 1e6, number)

        yield from in_turns(everyone, rounds, work, lab)


def _open_breaker(each: Running) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{each.place.admin}/breakers/openai",
        data=json.dumps({"mode": "open"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()
