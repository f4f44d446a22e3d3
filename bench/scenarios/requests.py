"""Unary requests in a closed loop: how many a second, how long each takes, what each costs the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench import wrk
from bench.lab import Lab, Running
from bench.process import Failed
from bench.provider import Behaviour
from bench.readings import Reading

IN_FLIGHT = (1, 32, 128)


def measure(
    lab: Lab, running: Sequence[Running], *, rounds: int, seconds: float, in_flight: Sequence[int] = IN_FLIGHT
) -> Iterator[Reading]:
    """Yield `requests_per_s@N`, `p50_ms@N`, `p99_ms@N` and `cpu_us@N` (CPU per request) of each."""
    lab.provider.behave(Behaviour())
    for each in running:
        wrk.run(each.port, each.path, in_flight=32, seconds=1, scratch=lab.scratch, headers=each.headers)
    for number in range(rounds):
        for flight in in_flight:
            for each in running:
                before = each.cpu()
                loop = wrk.run(
                    each.port,
                    each.path,
                    in_flight=flight,
                    seconds=seconds,
                    scratch=lab.scratch,
                    headers=each.headers,
                )
                used = each.cpu() - before
                if loop.refused or loop.broken or not loop.requests:
                    raise Failed(f"{each.name}: {loop.refused} refused, {loop.broken} broken of {loop.requests}")
                for quantity, value in (
                    ("requests_per_s", loop.requests / loop.seconds),
                    ("p50_ms", loop.p50),
                    ("p99_ms", loop.p99),
                    ("cpu_us", used / loop.requests * 1e6),
                ):
                    if used or quantity != "cpu_us":
                        yield Reading(each.name, f"{quantity}@{flight}", value, number)
