"""Limits: who is turned away, how fast, what is said, and who is not touched by it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from statistics import median

import trio

from bench.scorecard.asking import question
from bench.scorecard.caller import Answer, calling
from bench.scorecard.provider import ALWAYS
from bench.scorecard.scene import No, Scene, milliseconds, rejected, told
from bench.scorecard.terms import Setup

_ASKED = 5
_UPLOAD = 20_000_000
_BEGUN = 64 * 1024
_OK = 200
# How many requests of one caller have to meet its limit.
_TRIED = 20


async def _one_too_many(scene: Scene) -> list[Answer]:
    async with scene.full():
        answers = [await scene.ask() for _ in range(_ASKED)]
    if others := [each for each in answers if not rejected(each)]:
        raise No(f"with {scene.terms.limit} in flight one more was answered with {others[0]}")
    return answers


@question(1, "reject at N+1 in < 50 ms", Setup.FULL)
async def at_once(scene: Scene) -> str:
    """N requests are held; each of five more is rejected, by the median within the time."""
    answers = await _one_too_many(scene)
    took = median(each.seconds for each in answers)
    evidence = f"with {scene.terms.limit} in flight {answers[0].status} in {milliseconds(took)}"
    if took >= scene.terms.at_once:
        raise No(evidence)
    return evidence


@question(2, "with Retry-After", Setup.FULL)
async def with_retry_after(scene: Scene) -> str:
    """Each of those rejects says when to come back."""
    answers = await _one_too_many(scene)
    waits = [told(each) for each in answers]
    if not all(waits):
        raise No(f"{answers[0].status} without a time to come back")
    return f"{answers[0].status}, come back in {waits[0]:g} s"


@question(5, "B untouched by A's limit", Setup.CALLERS)
async def others_untouched(scene: Scene) -> str:
    """A asks until it is rejected; of three requests of B none is."""
    served = 0
    while not rejected(answer := await scene.ask("a")) and served < _TRIED:
        served += 1
    if served == _TRIED:
        raise No(f"A has no limit: {_TRIED} requests in a row, the last answered with {answer}")
    others = [await scene.ask("b") for _ in range(3)]
    if unlucky := [each for each in others if each.status != _OK]:
        raise No(f"A rejected after {served}, then B answered with {unlucky[0]}")
    return f"A rejected after {served} with {answer.status}, then B served 3 of 3"


@question(15, "20 MB upload rejected at once", Setup.FULL)
async def upload(scene: Scene) -> str:
    """N requests are held, one more announces 20 MB and sends 64 KiB of them: it is rejected without the rest."""
    framing = (("Content-Length", str(_UPLOAD)),)
    async with scene.full(), calling(scene.gate.way.port) as call:
        began = trio.current_time()
        answer = Answer(trouble=f"none in {scene.terms.back:g} s", seconds=scene.terms.back)
        await call.send(scene.gate.way.request("a", b"{" + b" " * _BEGUN, framing))
        with trio.move_on_after(max(scene.terms.back, 2 * scene.terms.at_once)):
            answer = await call.answer(began)
    if not rejected(answer) or answer.seconds >= scene.terms.at_once:
        raise No(f"after 64 KiB of 20 MB: {answer}, {milliseconds(answer.seconds)}")
    return f"after 64 KiB of 20 MB {answer.status} in {milliseconds(answer.seconds)}"


@question(21, "fair to nine polite callers beside a greedy one", Setup.FAIR)
async def fair(scene: Scene) -> str:
    """One caller keeps 100 requests waiting, nine have one each, twelve fit in: nine tenths of theirs are served.

    The provider must not get more than it has slots for: who limits nothing is not fair but absent.
    """
    terms = scene.terms
    served: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    most = 0
    await scene.provider.script({"delay": terms.work, "times": ALWAYS})

    async def come(caller: str, patience: float, *, pause: float = 0.0, refused: float, late: float = 0.0) -> None:
        await trio.sleep(late)
        while trio.current_time() < until:
            answer = Answer()
            with trio.move_on_after(patience):
                answer = await scene.ask(caller)
            asked[caller] += 1
            served[caller] += answer.status == _OK
            await trio.sleep(pause if answer.status == _OK else refused)

    polite = [f"polite-{number}" for number in range(terms.polite)]
    until = trio.current_time() + terms.fair_for
    async with trio.open_nursery() as nursery:
        for number in range(terms.greed):
            # Not all at the same moment, again and again: how fast a gateway can say no is not asked here.
            late = number / terms.greed * terms.pause
            nursery.start_soon(partial(come, "greedy", terms.patience, refused=terms.pause, late=late))
        for name in polite:
            pause = terms.work / 3
            nursery.start_soon(partial(come, name, terms.fair_wait, pause=pause, refused=pause))
        while trio.current_time() < until:
            most = max(most, await scene.provider.in_flight())
            await trio.sleep(terms.work / 10)
    worst = min(polite, key=lambda name: served[name] / asked[name])
    evidence = f"worst polite caller served {served[worst]} of {asked[worst]}, the greedy one {served['greedy']}"
    if most > terms.slots:
        raise No(f"{most} at once at a provider with {terms.slots} slots; {evidence}")
    # Now and then a polite caller may be refused, or wait too long: it comes again.
    if served[worst] < 0.9 * asked[worst] or not served["greedy"]:
        raise No(evidence)
    return evidence
