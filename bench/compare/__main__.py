"""Measure AI Bridge beside other proxies doing the same work on the same machine, and print ratios."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from time import perf_counter

from bench.compare import plan, report, wrk
from bench.compare.arguments import some_of
from bench.compare.cast import OTHERS, Cast, choose
from bench.compare.lab import Lab
from bench.compare.machine import described
from bench.compare.marked import kept
from bench.compare.pictures import pictures
from bench.compare.process import Failed
from bench.compare.readings import Readings
from bench.compare.turns import DISTURBANCE

HERE = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    if options.targets:
        options.only, options.peers = plan.FOR_TARGETS, plan.BESIDE_FOR_TARGETS
    try:
        cast = choose(options.aibridge, options.peers)
        run = _measure(cast, options)
    except Failed as failed:
        sys.stderr.write(f"bench: {failed}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    say("\n" + (report.verdicts(run) if options.targets else report.summary(run)))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in run.readings.all], indent=1) + "\n")
    if options.write:
        drawn = dict(pictures(run))
        results = HERE / "RESULTS.md"
        before = results.read_text() if results.exists() else ""
        # Parts of that page are other commands'.
        results.write_text(kept(report.page(run, drawn), before))
        for name, picture in drawn.items():
            (HERE / name).write_text(picture)
    return 0


def say(line: str) -> None:
    """Write a line for the reader."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _measure(cast: Cast, options: argparse.Namespace) -> report.Run:
    say("proxies: " + ", ".join(f"{each.name} {each.version}" for each in cast.peers))
    skipped = [f"{name} is not installed" for name in cast.missing]
    only = [name for name in plan.SCENARIOS if name in options.only]
    if not wrk.installed():
        skipped += [f"{name} needs `wrk`, which is not installed" for name in only if name in plan.WITH_WRK]
        only = [name for name in only if name not in plan.WITH_WRK]
    for each in skipped:
        say(f"skipped: {each}; bench/README.md says how to install it")
    readings = Readings()
    # A collection in the middle of a measurement is a pause of the load, which would count as the proxy's.
    gc.disable()
    begun, current = perf_counter(), ""
    pace = plan.QUICK if options.quick else plan.TARGETS if options.targets else plan.FULL
    with Lab(options.core, options.patience, options.nice) as lab:
        for name, reading in plan.perform(lab, cast.peers, only, pace):
            if name != current:
                say(f"{perf_counter() - begun:5.0f} s  {name}")
                current = name
            readings.all.append(reading)
            if options.verbose:
                say(f"         {reading.quantity:30} {reading.peer:12} {reading.value:12.3f}")
        notes = [*skipped, *lab.notes, _disturbance(readings)]
    say(f"{perf_counter() - begun:5.0f} s  done")
    return report.Run(
        readings=readings,
        versions={each.name: each.version for each in cast.peers},
        bridges=[each.name for each in cast.peers if each.ours],
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command=_command(options),
        machine=described(),
        notes=notes,
    )


def _command(options: argparse.Namespace) -> str:
    chosen = [
        f" --only {','.join(options.only)}" if options.only != plan.SCENARIOS else "",
        " --quick" if options.quick else "",
        f" --nice {options.nice}" if options.nice else "",
    ]
    return f"python -m bench.compare{''.join(chosen)} --write"


def _disturbance(readings: Readings) -> str:
    shares = [each.value for each in readings.all if each.quantity == DISTURBANCE] or [0.0]
    return f"while measuring, others used {mean(shares):.0%} of a core, at most {max(shares):.0%}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument(
        "--only",
        type=some_of(plan.SCENARIOS),
        default=plan.SCENARIOS,
        metavar="NAME,…",
        help=f"these scenarios: {', '.join(plan.SCENARIOS)} (default: all)",
    )
    parser.add_argument(
        "--peers",
        type=some_of(OTHERS),
        default=tuple(OTHERS),
        metavar="NAME,…",
        help=f"beside these: {', '.join(OTHERS)} (default: all that are installed)",
    )
    parser.add_argument(
        "--aibridge",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="the bridge's executable, of any checkout; several are compared (default: this checkout's)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--targets",
        action="store_true",
        help="measure what the targets of the data path name, and print them only",
    )
    what.add_argument("--write", action="store_true", help="write bench/RESULTS.md and its pictures")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--core", type=int, metavar="N", help="the proxies' core (default: the last one)")
    parser.add_argument(
        "--nice",
        type=int,
        default=0,
        metavar="N",
        help="run at this niceness (below 0: as root), come before others",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=120,
        metavar="SECONDS",
        help="spent on waiting for others on the machine and on repeating what they disturbed (default: 120)",
    )
    parser.add_argument("--verbose", action="store_true", help="print every number as it is measured")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to a file")
    return parser


if __name__ == "__main__":
    # Ended from outside, it still has to end what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
