"""Paced streams: what a relayed event costs the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.lab import Lab
from bench.process import Failed
from bench.provider import Behaviour
from bench.readings import Reading
from bench.running import Running
from bench.streams import Streams
from bench.turns import in_turns

STREAMS = 50
RATE = 40.0
# Streams begin at different times, as people do: their events shall not come in volleys.
_SPREAD = 1 / RATE / STREAMS
# Seconds between the last stream's first event and the measuring, and for stragglers after it.
_MARGIN = 1.0


def measure(lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `cpu_us_per_event` and `events_per_s` of each, taken while all streams flow."""
    lab.provider.behave(Behaviour(events=int(RATE * (seconds + 3 * _MARGIN)), rate=RATE))

    def work(each: Running, number: int) -> Iterator[Reading]:
        with Streams(each.port, each.request(stream=True)) as streams:
            for _ in range(STREAMS):
                streams.open(1)
                streams.read(_SPREAD)
            streams.expect(STREAMS, 20)
            streams.read(_MARGIN)
            before, seen = each.cpu(), streams.events
            streams.read(seconds)
            used, relayed = each.cpu() - before, streams.events - seen
        if streams.refused or not relayed:
            raise Failed(f"{relayed} events came, {streams.refused} streams were refused")
        each.calm()
        if each.process:
            yield Reading(each.name, "cpu_us_per_event", used / relayed * 1e6, number)
        yield Reading(each.name, "events_per_s", relayed / seconds, number)

    yield from in_turns(running, rounds, work, lab)
