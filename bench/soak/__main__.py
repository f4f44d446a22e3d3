"""Soak AI Bridge: very many requests with faults on both sides, against the real program on real sockets.

At rest points nothing may be left of them, and over all of them nothing may grow.
"""

from __future__ import annotations

import argparse
import math
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import trio

from bench.compare.process import Failed
from bench.soak import drift, table
from bench.soak.bridge import Bridge, a_bridge
from bench.soak.callers import Callers
from bench.soak.operator import Operator
from bench.soak.providers import Providers
from bench.soak.rest import Rests

_LAUNCHER = "bench.soak.launcher"
_REQUESTS = 100_000
# More callers than the bridge keeps in mind (1,000). A table that is still filling grows, and is no leak.
_KNOWN = 1_200
# The least part of all requests that must end well: where protections turn all away, faults have no chance.
_ANSWERED = 0.2
# Complaints that are shown: there may be one a request.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Course:
    """How long it goes: so many requests and so many seconds, whichever are over first, in so many parts."""

    requests: float
    seconds: float
    rests: int


def main(arguments: Sequence[str] | None = None, *, launcher: str = _LAUNCHER) -> int:
    """Run the command; return its exit status. `launcher` is the module that runs the bridge."""
    options = _parser().parse_args(arguments)
    requests = options.requests or (math.inf if options.minutes else _REQUESTS)
    course = Course(requests, options.minutes * 60 if options.minutes else math.inf, options.rests)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    status, complaints = 1, list[str]()
    try:
        status = trio.run(soak, course, options.seed, launcher, complaints)
    except* Failed as failed:
        for line in (*complaints[:_SHOWN], f"soak: {_first(failed)}"):
            say(line)
    except* KeyboardInterrupt:
        status = 130
    return status


def say(line: str) -> None:
    """Write a line for the reader."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def soak(course: Course, seed: int, launcher: str, complaints: list[str]) -> int:
    """Run it, print what was seen, and return the exit status."""
    providers = Providers(seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with trio.open_nursery() as nursery:
            await nursery.start(providers.run)
            async with a_bridge(launcher, providers.ports, Path(folder), complaints.append) as bridge:
                callers = Callers(bridge.port, seed, complaints.append)
                operator = Operator(bridge.admin_port)
                rests = Rests(bridge, operator, providers)
                await _go_through(course, seed, callers, operator, rests)
                await bridge.end()
                if callers.outcomes["200"] < callers.requests * _ANSWERED:
                    complaints.append("hardly any request was answered, so this shows little")
            nursery.cancel_scope.cancel()
    lines, well = table.verdict(rests.samples, complaints, _SHOWN)
    for line in ("", *_summary(callers, providers, bridge), "", *lines):
        say(line)
    return 0 if well else 1


async def _go_through(course: Course, seed: int, callers: Callers, operator: Operator, rests: Rests) -> None:
    await callers.introduce(_KNOWN)
    say(table.head())
    say(table.row(await rests.take(0)))
    draw, began = Random(seed), trio.current_time()
    for part in range(1, course.rests + 1):
        share = part / course.rests
        async with trio.open_nursery() as nursery:
            nursery.start_soon(operator.interfere, draw)
            await callers.come(course.requests * share, began + course.seconds * share)
            nursery.cancel_scope.cancel()
        say(table.row(await rests.take(callers.requests)))
        if drift.leaked(rests.samples):
            break


def _summary(callers: Callers, providers: Providers, bridge: Bridge) -> list[str]:
    return [
        f"callers: {table.counted(callers.outcomes)}",
        f"providers: {table.counted(providers.outcomes)}",
        f"bridge: {table.counted(bridge.told)}",
    ]


def _first(group: BaseExceptionGroup[Failed]) -> BaseException:
    [first, *_] = group.exceptions
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument(
        "--requests",
        type=int,
        metavar="N",
        help=f"how many requests (default: {_REQUESTS:,}, or as --minutes has it)",
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="for how long, if not for so many requests")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="where chance begins (default: 1)")
    parser.add_argument("--rests", type=int, default=10, metavar="N", help="in how many parts (default: 10)")
    return parser


if __name__ == "__main__":
    # Ended from outside, it still has to end what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
