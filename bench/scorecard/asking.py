"""A question: what is asked, of a gateway configured how; and putting it, whatever happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from bench.compare.process import Failed
from bench.scorecard.scene import No, Scene
from bench.scorecard.terms import Setup, Terms

# Returns the evidence of a yes; raises `No` with that of a no.
Ask = Callable[[Scene], Awaitable[str]]
_LONGEST = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One yes/no question; `ends` tells that the gateway does not outlive it."""

    number: int
    text: str
    setup: Setup
    ask: Ask
    deadline: Callable[[Terms], float]
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, the evidence in one line, how long it took."""

    yes: bool
    evidence: str
    seconds: float = 0.0


def question(
    number: int, text: str, setup: Setup, *, deadline: Callable[[Terms], float] | None = None, ends: bool = False
) -> Callable[[Ask], Question]:
    """Make a function a question; its deadline is the terms' unless it has one of its own."""

    def made(ask: Ask) -> Question:
        until = deadline or (lambda terms: terms.deadline)
        return Question(number=number, text=text, setup=setup, ask=ask, deadline=until, ends=ends)

    return made


async def put(asked: Question, scene: Scene) -> Verdict:
    """Put a question. Whatever goes wrong, in the gateway or in the question itself, is a no with its reason."""
    began = trio.current_time()
    limit = asked.deadline(scene.terms)
    yes, evidence = False, f"not settled within {limit:g} s"
    with trio.move_on_after(limit):
        try:
            yes, evidence = True, await asked.ask(scene)
        except Exception as error:  # noqa: BLE001 - a question that fails is answered
            yes, evidence = False, _reason(error)
    return Verdict(yes, " ".join(evidence.split())[:_LONGEST], trio.current_time() - began)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        # A no says more than what came of it.
        known = [each for each in error.exceptions if isinstance(each, No | BaseExceptionGroup)]
        error = (known or list(error.exceptions))[0]
    return str(error) if isinstance(error, No | Failed) else f"error: {type(error).__name__}: {error}"
