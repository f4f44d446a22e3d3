"""Paced streams: what a relayed event costs the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.process import Failed
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.streams import Streams
from bench.compare.turns import DISTURBANCE, in_turns

# Few streams are what the slowest proxy can carry: who is behind reads many events at once, which is cheaper.
STREAMS = (10, 50)
# So many streams are measured without `usage` too.
WITHOUT_USAGE = 50
RATE = 40.0
# Seconds between the last stream's first event and the measuring, and for stragglers after it.
_MARGIN = 0.5


def measure(lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `cpu_us_per_event@N` and `events_per_s@N` of each, taken while all N streams flow.

    Streams ask for their usage, and then each event has the field; `cpu_us_per_event_without_usage@50` is without.
    """
    lab.provider.behave(Behaviour(events=int(RATE * (seconds + 3 * _MARGIN)), rate=RATE))
    for number in STREAMS:
        yield from in_turns(running, rounds, partial(_work, number, seconds), lab)
    for reading in in_turns(running, rounds, partial(_work, WITHOUT_USAGE, seconds, usage=False), lab):
        if reading.quantity == f"cpu_us_per_event@{WITHOUT_USAGE}":
            quantity = f"cpu_us_per_event_without_usage@{WITHOUT_USAGE}"
            yield Reading(reading.peer, quantity, reading.value, reading.round)
        elif reading.quantity == DISTURBANCE:
            yield reading


def _work(number: int, seconds: float, each: Running, turn: int, *, usage: bool = True) -> Iterator[Reading]:
    with Streams(each.port, each.request(stream=True, usage=usage)) as streams:
        for _ in range(number):
            streams.open(1)
            # Streams begin at different times, as people do: their events shall not come in volleys.
            streams.read(1 / RATE / number)
        streams.expect(number, 20)
        streams.read(_MARGIN)
        before, seen = each.cpu(), streams.events
        streams.read(seconds)
        used, relayed = each.cpu() - before, streams.events - seen
    if streams.refused or not relayed:
        raise Failed(f"{relayed} events came, {streams.refused} streams were refused")
    each.calm()
    yield Reading(each.name, f"cpu_us_per_event@{number}", used / relayed * 1e6, turn)
    yield Reading(each.name, f"events_per_s@{number}", relayed / seconds, turn)
