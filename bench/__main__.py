"""The command: `python -m bench`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import peers as known
from bench.lab import Lab
from bench.process import Failed
from bench.readings import Reading, Readings
from bench.scenarios import events, latency, rejects, requests

SCENARIOS = ("requests", "latency", "events", "rejects")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default=",".join(SCENARIOS))
    parser.add_argument("--peers", default="")
    parser.add_argument("--aibridge", action="append", default=[], metavar="[NAME=]PATH")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--core", type=int)
    options = parser.parse_args(argv)
    found = find(options.aibridge, [each for each in options.peers.split(",") if each])
    only = options.only.split(",")
    rounds, seconds = (2, 2.0) if options.quick else (5, 3.0)
    readings = Readings()
    with Lab(options.core) as lab:
        running = [lab.start(each) for each in found if only != ["rejects"]]
        if "requests" in only:
            collect(readings, requests.measure(lab, [lab.straight(), *running], rounds=rounds, seconds=seconds))
        if "latency" in only:
            collect(readings, latency.measure(lab, running, rounds=rounds))
        if "events" in only:
            collect(readings, events.measure(lab, [lab.straight(), *running], rounds=rounds, seconds=seconds))
        if "rejects" in only:
            collect(readings, rejects.measure(lab, found, rounds=rounds, seconds=seconds))
    show(readings)
    return 0


def collect(readings: Readings, new: Iterable[Reading]) -> None:
    for each in new:
        sys.stderr.write(f"  {each.quantity:28} {each.peer:12} {each.value:12.3f}\n")
        readings.all.append(each)


def show(readings: Readings) -> None:
    quantities = dict.fromkeys(each.quantity for each in readings.all)
    for quantity in quantities:
        cells = []
        for peer in readings.peers(quantity):
            ratio = readings.ratio(peer, quantity, "envoy")
            cells.append(f"{peer} {readings.median(peer, quantity):.4g}" + (f" ({ratio:.3f})" if ratio else ""))
        sys.stdout.write(f"{quantity:26} {'  '.join(cells)}\n")


def find(bridges: Sequence[str], wanted: Sequence[str]) -> list[known.Peer]:
    found = []
    for spec in bridges or [f"aibridge={Path(sys.executable).parent / 'aibridge'}"]:
        name, _, path = spec.rpartition("=")
        found.append(known.aibridge(str(Path(path).absolute()), name or f"aibridge{len(found) + 1 if found else ''}"))
    for name, make in (("envoy", known.envoy), ("nginx", known.nginx)):
        path = known.find(name, f"{name}/bin") or shutil.which(name, path="/usr/sbin")
        if path and (not wanted or name in wanted):
            found.append(make(path))
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"bench: {failed}")
