"""Unary requests in a closed loop: how many a second, how long each takes, what each costs the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.compare import wrk
from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.turns import in_turns

IN_FLIGHT = (1, 32, 128)
_TIMES_ROUND = 4


def measure(
    lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float, in_flight: Sequence[int] = IN_FLIGHT
) -> Iterator[Reading]:
    """Yield `requests_per_s@N`, `p50_ms@N`, `p99_ms@N` and `cpu_us@N` (CPU per request) of each."""
    lab.provider.behave(Behaviour())
    speed: dict[str, float] = {}
    for flight in in_flight:

        def work(each: Running, number: int, flight: int = flight) -> Iterator[Reading]:
            if each.name not in speed:
                _loop(lab, each, flight, 1)
            # A slow one needs longer for as many in flight to have come round a few times.
            enough = _TIMES_ROUND * flight / speed[each.name] if each.name in speed else 0
            loop, used = _loop(lab, each, flight, max(seconds, enough))
            speed[each.name] = loop.requests / loop.seconds
            yield Reading(each.name, f"requests_per_s@{flight}", loop.requests / loop.seconds, number)
            yield Reading(each.name, f"p50_ms@{flight}", loop.p50, number)
            yield Reading(each.name, f"p99_ms@{flight}", loop.p99, number)
            if each.process:
                yield Reading(each.name, f"cpu_us@{flight}", used / loop.requests * 1e6, number)

        yield from in_turns(running, rounds, work, lab)


def _loop(lab: Lab, each: Running, flight: int, seconds: float) -> tuple[wrk.Loop, float]:
    each.calm()
    loop, used = each.loop(lab.scratch, in_flight=flight, seconds=seconds)
    loop.check()
    return loop, used
