"""Faults at random: requests by the thousand, through the whole path, while either side misbehaves.

Callers and providers cut their connections, reset them, fall silent and talk nonsense at random bytes; operators
overrule breakers and reload meanwhile. Most connections of callers repeat a head, with another length, header or
target here and there, in turn or as a pipeline. It is in memory and in virtual time. What must hold all the
time is checked as it happens, and at the end nothing may be left.

    scripts/faults --requests 100000 --seed 7
    scripts/faults --seeds 1000-1059
"""

from __future__ import annotations

import argparse
import math
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import trio
from trio.testing import MockClock

from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.events import Bug, Finished, Started
from tests.support.faulty_callers import FaultyCallers
from tests.support.faulty_providers import FaultyProvider
from tests.support.faulty_requests import MAX_BODY
from tests.support.network import PROVIDERS, MemoryLink, Running
from tests.support.peers import Ledger
from tests.support.pipes import Pipes

# So many in one life of a bridge.
SHARD = 2_500
# Longer than all deadlines below and all pauses of peers, in seconds.
_LONG = 600.0
_CAPACITIES = (100, 4096, 65536, 65536, 1 << 20)


class _Net(Pipes):
    """Pipes of different width, and providers that sometimes cannot be reached."""

    def __init__(self, nursery: trio.Nursery, ledger: Ledger, draw: Random) -> None:
        super().__init__(nursery, lambda: draw.choice(_CAPACITIES))
        self._ledger = ledger
        self._draw = draw

    async def _link(self, host: str, port: int) -> MemoryLink:
        fate = self._draw.random()
        if fate < 0.02:
            self._ledger.blind_faults += 1
            if fate < 0.01:
                await trio.sleep_forever()
            raise ConnectionRefusedError
        return await super()._link(host, port)


def run(seed: int, requests: int) -> Counter[str]:
    """Make so many requests; return what became of them. What does not hold is raised, with the seed."""
    draw = Random(seed)
    try:
        with _repeatable(seed):
            return trio.run(_run, draw, requests, clock=MockClock(autojump_threshold=0))
    except BaseException as error:
        error.add_note(f"seed {seed}, {requests} requests")
        raise


async def _run(draw: Random, requests: int) -> Counter[str]:
    ledger = Ledger()
    async with trio.open_nursery() as nursery:
        network = _Net(nursery, ledger, draw)
        for name in PROVIDERS:
            network.raw(name, FaultyProvider(ledger, draw).serve)
        await _settle()
        alone = _tasks()
        async with network.bridge(
            **_protections(draw),
            max_body=MAX_BODY,
            first_byte_timeout=30.0,
            idle_timeout=20.0,
            log_level="error",
        ) as running:
            await _settle()
            idle = _tasks()
            callers = FaultyCallers(network, ledger, draw)
            async with trio.open_nursery() as operators:
                operators.start_soon(_overrule, running, draw)
                await callers.ask(requests - requests // 10)
                operators.cancel_scope.cancel()
            await _nothing_left(network, running, idle)
            async with trio.open_nursery() as last:
                last.start_soon(callers.ask, requests // 10)
                await trio.sleep(20 * draw.random())
                ledger.ending = True
                await running.signals.send(signal.SIGTERM)
                await running.ended.wait()
            assert running.exit_status == 0
        await trio.sleep(_LONG)
        assert network.open_ends() == 0, "connections are left behind"
        assert _tasks() == alone, "tasks are left behind"
        _check(running, ledger)
        nursery.cancel_scope.cancel()
    return ledger.outcomes


def _protections(draw: Random) -> dict[str, Any]:
    """Draw which are on, by which rules, and which of them are in shadow."""
    concurrency = draw.choice((0, 10, 30))
    scope = draw.choice(("provider", "provider", "endpoint", "model"))
    return {
        "max_concurrency": concurrency,
        "max_concurrency_per_caller": draw.choice((0, 0, 2)),
        "max_concurrency_per_provider": draw.choice((0, 0, 8)),
        "queue_size": draw.choice((0, 5, 40)) if concurrency else 0,
        "queue_timeout": draw.choice((0.5, 5.0)),
        "rate_limit": draw.choice((0, 3)),
        "circuit_breaker": draw.random() < 0.8,
        "circuit_breaker_failure_threshold": 10,
        "circuit_breaker_failure_share": draw.choice((0.0, 0.5)),
        "circuit_breaker_cooldown": 3.0,
        "circuit_breaker_max_cooldown": 10.0,
        "circuit_breaker_429": draw.choice(("provider", "credential")),
        "circuit_breaker_scope": scope,
        "circuit_breaker_models": ("m", "gpt-*") if scope == "model" else (),
        "circuit_breaker_slow_first_byte": draw.choice((math.inf, 5.0)),
        "circuit_breaker_ramp": draw.choice((0.0, 5.0)),
        "shadow": tuple(name for name in PROTECTIONS if draw.random() < 0.1),
        "adaptive": draw.random() < 0.5,
        "hold_keepalive": draw.choice((0.0, 3.0)),
    }


async def _overrule(running: Running, draw: Random) -> None:
    """Open, close and free breakers, and reload."""
    while True:
        await trio.sleep(10 * draw.random())
        if draw.random() < 0.2:
            await running.reload(rate_limit=draw.choice((0, 3)))
        for backend in running.bridge.router:
            if backend.circuits.enabled and draw.random() < 0.3:
                backend.circuits.override(draw.choice((Mode.OPEN, Mode.CLOSE, Mode.AUTO, Mode.AUTO)))


async def _nothing_left(network: Pipes, running: Running, idle: int) -> None:
    """Behind the last caller slots, permits and connections are back at once, and all else in time."""
    bridge = running.bridge
    for backend in bridge.router:
        if backend.circuits.enabled:
            backend.circuits.override(Mode.AUTO)
    await trio.sleep(1)
    admission = bridge.admission.statistics()
    assert admission.in_flight == 0, "slots are held"
    assert admission.queue.waiting == 0, "somebody waits for nothing"
    probes = [backend.circuits.statistics().probes for backend in bridge.router]
    assert probes == [0, 0, 0], "permits are held"
    for line in (backend.adaptive for backend in bridge.router if backend.adaptive):
        stats = line.limiter.statistics(trio.current_time())
        assert (line.waiting, stats.held, stats.governor.level) == (0, 0, 0), "requests are held or counted"
        assert line.memory.used == 0, "copies of bodies are kept"
    assert network.pools()[0] == 0, "connections to providers are busy"
    assert network.open_ends() == network.pools()[1] + bridge.server.statistics().connections
    await trio.sleep(5)
    assert bridge.server.statistics().connections == 0, "callers' connections are open"
    await trio.sleep(_LONG)
    assert network.open_ends() == 0, "connections are left behind"
    assert _tasks() == idle, "tasks are left behind"


def _check(running: Running, ledger: Ledger) -> None:
    """The books are straight."""
    assert running.published(Bug) == []
    finished = running.published(Finished)
    assert len(running.published(Started)) == sum(each.started for each in finished)
    reached = [each for each in finished if each.started and each.reached_upstream]
    voting = [each for each in reached if each.route.endswith(("completions", "responses", "messages"))]
    assert voting
    # An upload that is refused or held at its end has no permit and no verdict.
    unsent = {"circuit_open", "line_full", "cannot_hold", "hold_timeout", "shutting_down"}
    voting = [each for each in voting if each.reject not in unsent and not each.held]
    assert all(each.verdict for each in voting), "a permit was not given back"
    adaptive = running.bridge.settings.adaptive and "adaptive" not in running.bridge.settings.shadow
    assert adaptive or max(ledger.arrived.values()) == 1, "a request arrived twice"
    assert ledger.unexplained <= ledger.blind_faults, f"{ledger.unexplained} answers that nothing explains"


async def _settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Let the seed decide the order of Trio's tasks, as hypothesis does, and what the bridge draws."""
    scheduler, chance = trio._core._run, random.getstate()
    scheduler._r.seed(seed)
    random.seed(seed)
    vars(scheduler)["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    try:
        yield
    finally:
        vars(scheduler)["_ALLOW_DETERMINISTIC_SCHEDULING"] = False
        random.setstate(chance)


def main(arguments: list[str]) -> None:
    """Make very many requests, in one life of a bridge after the other."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=main.__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help=f"where chance begins; one more every {SHARD} requests (default: 0)"
    )
    parser.add_argument(
        "--seeds",
        type=seeds,
        metavar="FIRST-LAST",
        help=f"these seeds, {SHARD} requests each, to the end: what failed is said last; instead of the others",
    )
    options = parser.parse_args(arguments)
    began, outcomes = time.perf_counter(), Counter[str]()
    chosen = options.seeds or range(options.seed, options.seed + math.ceil(options.requests / SHARD))
    total = SHARD * len(chosen) if options.seeds else options.requests
    failed: list[int] = []
    for shard, seed in enumerate(chosen):
        done = shard * SHARD
        try:
            outcomes += run(seed, min(SHARD, total - done))
        except Exception:
            if not options.seeds:
                raise
            failed.append(seed)
            traceback.print_exc()
        sys.stderr.write(f"\r{min(done + SHARD, total)} of {total}")
    sys.stderr.write("\n")
    for outcome, count in outcomes.most_common():
        sys.stdout.write(f"{count:>8}  {outcome}\n")
    took = f"in {time.perf_counter() - began:.0f} s"
    if failed:
        again = "; ".join(f"scripts/faults --requests {SHARD} --seed {seed}" for seed in failed)
        sys.exit(f"{len(failed)} of {len(chosen)} seeds failed, {took}: {again}")
    sys.stdout.write(f"nothing left behind, {took}\n")


def seeds(text: str) -> range:
    """Read a range of seeds, its ends included."""
    first, _, last = text.partition("-")
    chosen = range(int(first), int(last or first) + 1)
    if not chosen:
        raise ValueError
    return chosen


if __name__ == "__main__":
    main(sys.argv[1:])
