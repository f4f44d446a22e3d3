"""Requests that the bridge turns away: what a no costs beside a yes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from bench import wrk
from bench.lab import Lab, Running
from bench.peers import Peer, aibridge
from bench.process import Failed
from bench.provider import Behaviour
from bench.readings import Reading
from bench.streams import Streams

_IN_FLIGHT = 32
REASONS = {
    "capacity": ("--max-concurrency", "1", "--rate-limit", "100000", "--circuit-breaker"),
    "rate_limit": ("--max-concurrency", "10000", "--rate-limit", "1", "--circuit-breaker"),
    "circuit_open": ("--max-concurrency", "10000", "--rate-limit", "100000", "--circuit-breaker"),
}


def measure(lab: Lab, peers: Sequence[Peer], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `cpu_us_per_served` and, for each reason, `cpu_us_per_REASON` at 32 in flight of every bridge."""
    for peer in (each for each in peers if each.ours):
        lab.provider.behave(Behaviour(hold=True))
        with ExitStack() as stack:
            ways = {"served": lab.start(peer)}
            stack.callback(lab.stop, ways["served"])
            for reason, options in REASONS.items():
                ways[reason] = lab.start(aibridge(peer.executable, peer.name, *options))
                stack.callback(lab.stop, ways[reason])
            held = stack.enter_context(Streams(ways["capacity"].port, ways["capacity"].request(stream=True)))
            held.open(1)
            held.expect(1, 20)
            _open_breaker(ways["circuit_open"])
            for number in range(-1, rounds):
                for reason, each in ways.items():
                    loop, used = _loop(lab, each, seconds if number >= 0 else 1)
                    turned = loop.requests - loop.refused
                    # The rate limit lets one a second through.
                    if loop.broken or (loop.refused if reason == "served" else turned > 2 * loop.seconds + 2):
                        raise Failed(f"{peer.name}, {reason}: {loop}")
                    if number >= 0:
                        yield Reading(peer.name, f"cpu_us_per_{reason}", used / loop.requests * 1e6, number)


def _loop(lab: Lab, each: Running, seconds: float) -> tuple[wrk.Loop, float]:
    before = each.cpu()
    loop = wrk.run(each.port, each.path, in_flight=_IN_FLIGHT, seconds=seconds, scratch=lab.scratch)
    return loop, each.cpu() - before


def _open_breaker(each: Running) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{each.place.admin}/breakers/openai",
        data=json.dumps({"mode": "open"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()
