"""Measure what a shared store costs a bridge, beside a bridge without one and LiteLLM with and without Redis."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.compare import wrk
from bench.compare.cast import own
from bench.compare.lab import Lab
from bench.compare.machine import described
from bench.compare.marked import REPLICAS, replaced
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings
from bench.compare.running import Running
from bench.compare.scenarios import requests
from bench.replicas import page, server
from bench.replicas.load import Load
from bench.replicas.peers import bridges, others

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
IN_FLIGHT = (1, 32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        run = _measure(options)
    except Failed as failed:
        sys.stderr.write(f"replicas: {failed}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    text = page.section(run)
    sys.stdout.write(text)
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text(), text, REPLICAS))
    return 0


def _measure(options: argparse.Namespace) -> page.Run:
    if not wrk.installed():
        raise Failed("wrk is not installed")
    readings = Readings()
    gc.disable()  # a collection in the middle of a measurement is a pause of the load
    with Lab() as lab, server.running(lab, options.server) as (_, port):
        store = f"redis://127.0.0.1:{port}/0"
        version = server.version(port)
        peers = [*bridges(own(), store), *others(port)]
        running = [lab.straight(), *(lab.start(each)[0] for each in peers)]
        say("the proxies run")
        readings.all += _requests(lab, running, options)
        bridge = [each for each in running if each.name == "aibridge+store"]
        for replicas in options.replicas:
            say(f"{replicas} other replicas")
            readings.all += _with_replicas(lab, bridge, store, replicas, options)
        say(f"{options.callers:,} callers")
        empty = server.memory(port)
        with Load(lab, store, replicas=1, callers=options.callers) as load:
            load.fill()
            readings.all.append(
                Reading("store", "bytes_a_caller", (server.memory(port) - empty) / options.callers)
            )
            for found in _requests(lab, bridge, options):
                readings.all.append(Reading(found.peer, f"{found.quantity}&callers", found.value, found.round))
        notes = lab.notes
    return page.Run(
        readings=readings,
        versions={each.name: each.version for each in peers} | {options.server: version},
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=described(),
        callers=options.callers,
        replicas=tuple(options.replicas),
        notes=notes,
    )


def _with_replicas(
    lab: Lab, bridge: Sequence[Running], store: str, replicas: int, options: argparse.Namespace
) -> Iterator[Reading]:
    """Measure the bridge while so many other replicas ask the store, 20 times a second each."""
    with Load(lab, store, replicas=replicas, callers=1000) as load:
        load.begin()
        for found in _requests(lab, bridge, options):
            yield Reading(found.peer, f"{found.quantity}&{replicas}", found.value, found.round)
        done = load.end()
        yield Reading("store", f"asks_per_s&{replicas}", done.asks / done.seconds)
        yield Reading("store", f"ask_p50_ms&{replicas}", done.p50_ms)
        yield Reading("store", f"late_asks&{replicas}", done.late)


def _requests(lab: Lab, running: Sequence[Running], options: argparse.Namespace) -> Iterator[Reading]:
    return requests.measure(lab, running, rounds=options.rounds, seconds=options.seconds, in_flight=IN_FLIGHT)


def say(line: str) -> None:
    """Tell the reader how far it is."""
    sys.stderr.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of a closed loop (default: 3)")
    parser.add_argument(
        "--replicas",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[1, 10, 100],
        metavar="N,…",
        help="other replicas that ask the store meanwhile (default: 1,10,100)",
    )
    parser.add_argument("--callers", type=int, default=100_000, help="callers in the store (default: 100000)")
    parser.add_argument("--server", default="redis-server", help="the store's program (default: redis-server)")
    parser.add_argument("--write", action="store_true", help="write the section of bench/RESULTS.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
