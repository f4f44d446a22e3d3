"""Long prompts: what a request of 32 kB costs, of which a proxy that reads its head only sees little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.turns import in_turns

SIZE = 32_000
_IN_FLIGHT = 32


def measure(lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float) -> Iterator[Reading]:
    """Yield `requests_per_s_32kb` and `cpu_us_32kb` (CPU per request) of each, 32 in flight."""
    lab.provider.behave(Behaviour())

    def work(each: Running, number: int) -> Iterator[Reading]:
        each.calm()
        loop, used = each.loop(lab.scratch, in_flight=_IN_FLIGHT, seconds=seconds, size=SIZE)
        loop.check()
        yield Reading(each.name, "requests_per_s_32kb", loop.requests / loop.seconds, number)
        if each.process:
            yield Reading(each.name, "cpu_us_32kb", used / loop.requests * 1e6, number)

    yield from in_turns(running, rounds, work, lab)
