"""Ask gateways twenty-one yes/no questions about protection, with evidence, and print who says yes to which."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import trio

from bench.compare.arguments import some_of
from bench.compare.lab import free_port
from bench.compare.marked import replaced
from bench.compare.process import Failed
from bench.scorecard import page
from bench.scorecard.asking import Question, Verdict
from bench.scorecard.caller import Way
from bench.scorecard.cast import KNOWN, choose
from bench.scorecard.provider import Provider
from bench.scorecard.questions import QUESTIONS
from bench.scorecard.running import Row, judge, judge_running
from bench.scorecard.scene import Gate
from bench.scorecard.terms import Terms

# The question that reads metrics.
_METRICS = 20
_Asked = tuple[list[Row], dict[str, str], list[str]]
RESULTS = Path(__file__).parents[1] / "RESULTS.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    begun = perf_counter()
    try:
        asked = trio.run(_ask_until_told, options)
    except Failed as failed:
        sys.stderr.write(f"scorecard: {failed}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    if asked is None:
        return 143
    rows, versions, notes = asked
    card = page.Card(
        questions=_chosen(options),
        rows=rows,
        versions=versions,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command="python -m bench.scorecard --write",
        minutes=(perf_counter() - begun) / 60,
        notes=notes,
    )
    say("")
    say(page.evidence(card) if options.verbose else page.terminal(card))
    if options.json:
        options.json.write_text(json.dumps(_document(card), indent=1) + "\n")
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text(), page.section(card)))
    return 0


def say(line: str) -> None:
    """Write a line for the reader."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _ask_until_told(options: argparse.Namespace) -> _Asked | None:
    """Ask; ended by SIGTERM, still end what was started, and return None."""
    asked, failed = None, None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, nursery.cancel_scope)
        try:
            asked = await _ask_all(options)
        except Failed as error:
            failed = error
        nursery.cancel_scope.cancel()
    if failed:
        raise failed
    return asked


async def _listen(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        await anext(signals)
        scope.cancel()


async def _ask_all(options: argparse.Namespace) -> _Asked:
    rows: list[Row] = []
    versions: dict[str, str] = {}
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="scorecard-") as scratch:
        provider = Provider(options.provider_port or free_port(), Path(scratch) / "provider.log")
        await provider.start()
        try:
            if options.url:
                terms = Terms(limit=options.limit, threshold=options.threshold, cooldown=options.cooldown)
                rows = await judge_running(
                    _running_gateway(options.url), _askable(options), terms, provider, _heard("url")
                )
                return rows, {"url": options.url}, notes
            cast = choose(options.gateways, options.aibridge)
            notes += [f"{name} is not installed; bench/README.md says how" for name in cast.missing]
            for note in notes:
                say(f"skipped: {note}")
            for gateway in cast.gateways:
                name = gateway.peer.name
                versions[name] = gateway.peer.version
                rows += await judge(gateway, _chosen(options), Terms(), provider, _heard(name))
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(provider.stop)
    return rows, versions, notes


def _heard(name: str) -> Callable[[Question, Verdict], None]:
    def hear(asked: Question, verdict: Verdict) -> None:
        yes = "yes" if verdict.yes else "no "
        say(f"{name:10} {asked.number:2} {yes}  {verdict.evidence}  [{verdict.seconds:.1f} s]")

    return hear


def _chosen(options: argparse.Namespace) -> list[Question]:
    return [each for each in QUESTIONS if each.number in options.only]


def _askable(options: argparse.Namespace) -> list[Question]:
    """Leave out what needs a process of ours: to end it, to read its metrics."""
    return [each for each in _chosen(options) if not each.ends and each.number != _METRICS]


def _running_gateway(url: str) -> Gate:
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost"):
        raise Failed(f"{url} is not on this machine")
    return Gate(way=Way(parts.port or 80, parts.path))


def _document(card: page.Card) -> object:
    return {
        "date": card.date,
        "minutes": round(card.minutes, 1),
        "versions": dict(card.versions),
        "notes": list(card.notes),
        "questions": {each.number: each.text for each in card.questions},
        "rows": [asdict(row) for row in card.rows],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scorecard", description=__doc__)
    parser.add_argument(
        "--gateways",
        type=some_of(tuple(KNOWN)),
        default=tuple(KNOWN),
        metavar="NAME,…",
        help=f"these: {', '.join(KNOWN)} (default: all that are installed)",
    )
    numbers = tuple(str(each.number) for each in QUESTIONS)
    parser.add_argument(
        "--only",
        type=lambda text: tuple(map(int, some_of(numbers)(text))),
        default=tuple(map(int, numbers)),
        metavar="N,…",
        help="these questions, by number (default: all)",
    )
    parser.add_argument("--aibridge", metavar="PATH", help="the bridge's executable (default: this checkout's)")
    parser.add_argument("--verbose", action="store_true", help="print the evidence in place of the table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write verdicts and evidence to a file")
    parser.add_argument("--write", action="store_true", help="write the section of bench/RESULTS.md")
    running = parser.add_argument_group(
        "a gateway that runs already", "its provider is the one that this command starts on --provider-port"
    )
    running.add_argument("--url", metavar="URL", help="where it has chat completions, on this machine")
    running.add_argument("--provider-port", type=int, metavar="N", help="where its provider is expected")
    running.add_argument("--limit", type=int, default=Terms().limit, metavar="N", help="its requests at once")
    running.add_argument(
        "--threshold", type=int, default=Terms().threshold, metavar="N", help="failures that open its breaker"
    )
    running.add_argument(
        "--cooldown", type=float, default=Terms().cooldown, metavar="SECONDS", help="how long its breaker is open"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
