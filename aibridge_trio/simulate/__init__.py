"""`aibridge simulate`: what settings do under load and in failures, in virtual time, with the product's code.

Files in reading order: plan (which scenarios under which variants) · scenario/ (scenario files, settings, the
requests of callers) · run (one scenario under one policy) · world/ (engine: virtual time; callers and clients;
calls; the provider and its timeline; randomness) · policies/ (passthrough: none; bridge: the product,
circuit: its breakers; clairvoyant: the bound; others) · results/ (measure, outcome, report, svg, progress) ·
grid_search (--suggest).

scenario: callers, a provider and its faults · policy: what runs between callers and provider · variant: a policy
with settings · request: what one caller wants · call: one attempt of a request · outcome: the numbers of a run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.simulate import grid_search, plan
from aibridge_trio.simulate.plan import Numbers, Played
from aibridge_trio.simulate.results import fleet_report, report
from aibridge_trio.simulate.results.progress import Progress
from aibridge_trio.simulate.results.svg import draw
from aibridge_trio.simulate.scenario.sharing import FleetSharing


def run(
    names: Sequence[str],
    *,
    policy: str,
    setting: str | None,
    compare: str | None,
    callers: int | None,
    requests_per_caller: float | None,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    duration: float | None,
    seed: int,
    suggest: bool,
    replicas: str | None,
    store_round_trip: float,
    store_loss: float,
    partition: float,
    json: bool,
    svg: Path | None,
) -> int:
    """Run scenarios and write their results; returns the exit status. Raises UsageError, CommandError."""
    numbers = Numbers(callers, requests_per_caller, requests_per_minute, tokens_per_minute, duration)
    scenarios = [plan.scaled(each, numbers) for each in plan.find(names or ((plan.REPLICAS,) if replicas else ()))]
    variants = plan.variants(policy, setting or "", compare or "")
    tabled = report.table
    if replicas:
        way = FleetSharing(round_trip=store_round_trip, loss=store_loss, cut_off=partition)
        variants, tabled = plan.fleets(variants, replicas, way), fleet_report.table
    if suggest:
        if compare or json or svg or replicas:
            raise UsageError("--suggest: does not go with --compare, --replicas, --json or --svg; leave those out")
        own = next((each.settings for each in variants if each.policy == "aibridge"), {})
        for each in (scenario for scenario in scenarios if scenario.left_out):
            _say(f"{each.name}: left out, because the end is before it: {each.left_out}")
        _say(grid_search.basis(scenarios))
        with Progress(sys.stderr) as progress:
            found = grid_search.suggested(scenarios, own, seed, progress)
        _say(grid_search.text(found))
        return 0
    plays: list[Played] = []
    with Progress(sys.stderr) as progress:
        for each in scenarios:
            plays.append(plan.play(each, variants, seed, progress))
            progress.clear()
            if not json:
                _say(tabled(plays[-1]))
    if json:
        sys.stdout.write(report.document(seed, plays))
    if svg:
        _write(svg, draw(plays))
    return 0


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"--svg: {file} cannot be written: {error.strerror}") from None


def _say(text: str) -> None:
    """Write and flush, because the next scenario may take long; replaces what the encoding lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
