"""Connections that send one request each: what accepting, serving and closing one costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.newcomers import Newcomers
from bench.compare.readings import Reading
from bench.compare.running import Running
from bench.compare.turns import in_turns

CALLERS, AT_ONCE = 1000, 32


def measure(lab: Lab, running: Sequence[Running], *, rounds: int) -> Iterator[Reading]:
    """Yield `newcomers_per_s` and `cpu_us_per_newcomer` of each: 1,000 come, 32 at once."""
    lab.provider.behave(Behaviour())

    def work(each: Running, number: int) -> Iterator[Reading]:
        each.calm()
        before = each.cpu()
        with Newcomers(each.port, each.request(stream=False)) as callers:
            seconds = callers.come_and_go(CALLERS, at_once=AT_ONCE)
        yield Reading(each.name, "newcomers_per_s", CALLERS / seconds, number)
        if each.process:
            yield Reading(each.name, "cpu_us_per_newcomer", (each.cpu() - before) / CALLERS * 1e6, number)

    yield from in_turns(running, rounds, work, lab)
