"""Paced streams: what a relayed event costs the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.lab import Lab, Running
from bench.provider import Behaviour
from bench.readings import Reading
from bench.streams import Streams

STREAMS = 50
RATE = 40.0
# Streams begin at different times, as people do: their events shall not come in volleys.
_SPREAD = 1 / RATE / STREAMS


def measure(lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `cpu_us_per_event` of each, taken while all streams flow."""
    settle = 0.5
    lab.provider.behave(Behaviour(events=int(RATE * (seconds + 3 * settle)), rate=RATE))
    for number in range(rounds):
        for each in running:
            with Streams(each.port, each.request(stream=True)) as streams:
                for _ in range(STREAMS):
                    streams.open(1)
                    streams.read(_SPREAD)
                streams.expect(STREAMS, 20)
                streams.read(settle)
                before, seen = each.cpu(), streams.events
                streams.read(seconds)
                used, relayed = each.cpu() - before, streams.events - seen
                streams.expect(seen + relayed, 0)
            if each.process:
                yield Reading(each.name, "cpu_us_per_event", used / relayed * 1e6, number)
            yield Reading(each.name, "events_per_s", relayed / seconds, number)
