"""Measure a bridge with workers beside one in a single process, on all cores that there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.compare import wrk
from bench.compare.cast import own
from bench.compare.lab import Lab
from bench.compare.machine import described
from bench.compare.marked import WORKERS, replaced
from bench.compare.peers import Peer, aibridge
from bench.compare.process import Failed
from bench.compare.readings import Readings
from bench.compare.scenarios import requests
from bench.replicas.peers import LIMITS
from bench.workers import page

RESULTS = Path(__file__).parents[1] / "RESULTS.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        run = _measure(options)
    except Failed as failed:
        sys.stderr.write(f"workers: {failed}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    text = page.section(run)
    sys.stdout.write(text)
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text(), text, WORKERS))
    return 0


def _measure(options: argparse.Namespace) -> page.Run:
    if not wrk.installed():
        raise Failed("wrk is not installed")
    with Lab(nice=options.nice, patience=options.patience, everywhere=True) as lab:
        running = [lab.start(each)[0] for each in peers(options.aibridge, options.workers)]
        found = requests.measure(
            lab, running, rounds=options.rounds, seconds=options.seconds, in_flight=page.IN_FLIGHT
        )
        return page.Run(
            readings=Readings(found),
            version=aibridge.peer(options.aibridge).version,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=described(),
            notes=lab.notes,
        )


def peers(executable: str, workers: int) -> list[Peer]:
    """Return bridges in one process and with so many workers; with limits, and without any."""
    several = ("--workers", str(workers))
    return [
        aibridge.peer(executable, page.SINGLE, LIMITS),
        aibridge.peer(executable, page.SEVERAL, (*LIMITS, *several)),
        aibridge.peer(executable, page.SINGLE_FREE, ()),
        aibridge.peer(executable, page.SEVERAL_FREE, several),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of a closed loop (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="how many (default: 2)")
    parser.add_argument("--aibridge", default=own(), metavar="PATH", help="the executable (default: this one's)")
    parser.add_argument("--nice", type=int, default=0, help="run all of it at this niceness")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for others on the machine")
    parser.add_argument("--write", action="store_true", help="write the section of bench/RESULTS.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
