"""A gateway in its process, and all questions to it, one after the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from bench.compare.lab import free_port
from bench.compare.peers import Place
from bench.compare.process import Failed, Process
from bench.scorecard.asking import Question, Verdict, put
from bench.scorecard.caller import Way
from bench.scorecard.gateways import Gateway
from bench.scorecard.provider import Provider
from bench.scorecard.scene import Gate, Scene
from bench.scorecard.terms import Setup, Terms

# Seconds that a gateway may need to give its first answer.
_START = 90.0
_TICK = 0.05
_OK = 200
_LONGEST = 200
# Of these a question leaves nothing behind that the next one could stumble over.
_KEPT = (Setup.PLAIN, Setup.FULL)

Hear = Callable[[Question, Verdict], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One gateway's verdict on one question."""

    gateway: str
    number: int
    verdict: Verdict


@asynccontextmanager
async def started(gateway: Gateway, setup: Setup, terms: Terms, provider: Provider) -> AsyncIterator[Gate]:
    """Run a gateway, configured for a setup; it has answered once when the block begins."""
    name = gateway.peer.name
    with tempfile.TemporaryDirectory(prefix=f"scorecard-{name}-") as scratch:
        place = Place(free_port(), free_port(), provider.port, Path(scratch))
        launch = gateway.launch(place, setup, terms)
        for file, content in launch.files.items():
            (place.folder / file).write_text(content)
        process = Process(
            launch.argv,
            cores=os.sched_getaffinity(0),
            log=place.folder / "log",
            environment=launch.environment,
            folder=place.folder,
        )
        way = Way(place.port, gateway.peer.path, (*gateway.peer.headers(place), *gateway.headers(place)))
        gate = Gate(way=way, metrics=gateway.metrics(place), terminate=process.terminate)
        try:
            await _first_answer(Scene(gate, provider, terms), process)
            yield gate
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(process.stop)


async def _first_answer(scene: Scene, process: Process) -> None:
    last = ""
    with trio.move_on_after(_START):
        while True:
            process.check()
            answer = await scene.ask("start")
            if answer.status == _OK:
                return
            last = f"{answer}: {answer.body[:200]!r}"
            await trio.sleep(_TICK)
    raise Failed(f"does not start, last {last}; {process.last_words()}")


async def judge(
    gateway: Gateway, questions: Sequence[Question], terms: Terms, provider: Provider, hear: Hear
) -> list[Row]:
    """Put the questions to one gateway, setup by setup; what it cannot be configured for it is not asked."""
    rows = []

    def note(asked: Question, verdict: Verdict) -> None:
        hear(asked, verdict)
        rows.append(Row(gateway.peer.name, asked.number, verdict))

    for asked in questions:
        if asked.number in gateway.lacks:
            note(asked, Verdict(False, f"has no {gateway.lacks[asked.number]}"))
    for setup in Setup:
        left = [each for each in questions if each.setup is setup and each.number not in gateway.lacks]
        left.sort(key=lambda each: (each.ends, each.number))
        while left:
            together = left[:] if setup in _KEPT else left[:1]
            del left[: len(together)]
            before = len(rows)
            try:
                await provider.fresh()
                async with started(gateway, setup, terms, provider) as gate:
                    for each in together:
                        scene = Scene(gate, provider, terms)
                        await scene.rest()
                        note(each, await put(each, scene))
            except Exception as failed:  # noqa: BLE001 - who does not start gets a no, and the others their turn
                for each in together[len(rows) - before :]:
                    note(each, Verdict(False, f"error: {' '.join(str(failed).split())[:_LONGEST]}"))
    return sorted(rows, key=lambda row: row.number)


async def judge_running(
    gate: Gate, questions: Sequence[Question], terms: Terms, provider: Provider, hear: Hear
) -> list[Row]:
    """Put the questions to a gateway that is already running."""
    rows = []
    for asked in questions:
        scene = Scene(gate, provider, terms)
        await scene.rest()
        verdict = await put(asked, scene)
        hear(asked, verdict)
        rows.append(Row("url", asked.number, verdict))
    return rows
