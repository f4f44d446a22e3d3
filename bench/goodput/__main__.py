"""Send the same requests through gateways while their provider has an incident, and print what came of them."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import trio

from bench.compare.arguments import some_of
from bench.compare.lab import free_port
from bench.compare.marked import GOODPUT, replaced
from bench.compare.process import Failed
from bench.goodput import page
from bench.goodput.incidents import INCIDENTS
from bench.goodput.running import Outcome, through
from bench.scorecard.gateways import Gateway, aibridge, envoy, litellm, runs
from bench.scorecard.provider import Provider

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
OTHERS = {"envoy": envoy.gateway, "litellm": litellm.gateway}
# The bridge's flags without --bridge: an operator who knows the provider's slots would choose them.
FLAGS = "--max-concurrency 10 --queue-size 100 --circuit-breaker"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        run = trio.run(_run, options)
    except Failed as failed:
        sys.stderr.write(f"goodput: {failed}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    say("")
    say(page.terminal(run))
    if options.json:
        options.json.write_text(json.dumps(_document(run), indent=1) + "\n")
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text(), page.section(run), GOODPUT))
    return 0


def say(line: str) -> None:
    """Write a line for the reader."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _run(options: argparse.Namespace) -> page.Run:
    gateways, columns, notes = _cast(options)
    for note in notes:
        say(f"skipped: {note}")
    outcomes: dict[tuple[str, str], Outcome | str] = {}
    with tempfile.TemporaryDirectory(prefix="goodput-") as scratch:
        provider = Provider(free_port(), Path(scratch) / "provider.log")
        await provider.start()
        try:
            for incident in INCIDENTS:
                for name, gateway in gateways.items() if incident.name in options.only else ():
                    try:
                        outcome: Outcome | str = await through(gateway, incident, provider, options.seed)
                    except Failed as failed:
                        say(f"{incident.name:9} {name}: {failed}")
                        outcome = "failed"
                    outcomes[incident.name, name] = outcome
                    if isinstance(outcome, Outcome):
                        say(
                            f"{incident.name:9} {name:10} {outcome.answered} of {outcome.requests} answered "
                            f"by {outcome.calls} calls"
                        )
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(provider.stop)
    return page.Run(
        outcomes=outcomes,
        columns=columns,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command="python -m bench.goodput --write",
        notes=notes,
    )


def _cast(options: argparse.Namespace) -> tuple[Mapping[str, Gateway | None], Mapping[str, str], list[str]]:
    """Return the gateways by column, what stands behind each column, and who is missing."""
    if options.aibridge and not runs(options.aibridge):
        raise Failed(f"no aibridge at {options.aibridge}")
    gateways: dict[str, Gateway | None] = {page.STRAIGHT: None} if page.STRAIGHT in options.gateways else {}
    columns = dict.fromkeys(gateways, "")
    missing: list[str] = []
    bridges = options.bridge or [("aibridge", FLAGS)]
    for name, flags in bridges if "aibridge" in options.gateways else ():
        bridge = aibridge.gateway(options.aibridge, name=name, goodput=tuple(shlex.split(flags)))
        gateways[name] = bridge
        columns[name] = f"aibridge {bridge.peer.version}, `{flags}`"
    for name, make in OTHERS.items():
        if name in options.gateways:
            if gateway := make():
                gateways[name] = gateway
                columns[name] = f"{name} {gateway.peer.version}"
            else:
                missing.append(f"{name} is not installed; bench/README.md says how")
    return gateways, columns, missing


def _document(run: page.Run) -> object:
    return {
        "date": run.date,
        "columns": dict(run.columns),
        "notes": list(run.notes),
        "outcomes": [
            {"incident": incident, "column": column, "outcome": _plain(outcome)}
            for (incident, column), outcome in run.outcomes.items()
        ],
    }


def _plain(outcome: Outcome | str) -> object:
    if isinstance(outcome, str):
        return outcome
    return {**asdict(outcome), "share": outcome.share, "wasted": outcome.wasted, "p99": outcome.p99}


def _bridge(text: str) -> tuple[str, str]:
    """Parse NAME=FLAGS."""
    name, equals, flags = text.partition("=")
    if not name or not equals or name.startswith("-"):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FLAGS")
    return name, flags


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.goodput", description=__doc__)
    names = (page.STRAIGHT, "aibridge", *OTHERS)
    parser.add_argument(
        "--gateways",
        type=some_of(names),
        default=names,
        metavar="NAME,…",
        help=f"these: {', '.join(names)} (default: all that are installed)",
    )
    incidents = tuple(each.name for each in INCIDENTS)
    parser.add_argument(
        "--only", type=some_of(incidents), default=incidents, metavar="NAME,…", help=f"of {', '.join(incidents)}"
    )
    parser.add_argument(
        "--bridge",
        type=_bridge,
        action="append",
        metavar="NAME=FLAGS",
        help=f"a column for the bridge with these flags; can be given again (default: aibridge={FLAGS!r})",
    )
    parser.add_argument("--aibridge", metavar="PATH", help="the bridge's executable (default: this checkout's)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the requests' times (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to a file")
    parser.add_argument("--write", action="store_true", help="write the section of bench/RESULTS.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
