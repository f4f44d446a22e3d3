"""The scorecard says no to a gateway that is bad in each of its twenty-one ways, and yes to a good one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from bench.lab import free_port
from bench.scorecard.asking import Question, Verdict, put
from bench.scorecard.provider import Provider
from bench.scorecard.questions import QUESTIONS
from bench.scorecard.scene import Scene
from bench.scorecard.terms import Terms
from tests.bad_gateway import a_gateway

# Short where something has to pass, generous where something has to be quick: machines are noisy.
TERMS = Terms(
    cooldown=0.5,
    at_once=0.5,
    back=1.0,
    stall=3.0,
    patience=3.0,
    deadline=20.0,
    work=0.1,
    greed=20,
    pause=0.2,
    fair_for=1.0,
    fair_wait=1.5,
)


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider, a process of its own."""
    provider = Provider(free_port(), Path(tmp_path_factory.mktemp("provider")) / "log")
    trio.run(provider.start)
    yield provider
    provider.stop()


async def asked(question: Question, provider: Provider, bad: int) -> Verdict:
    """Put a question to a gateway with this vice."""
    await provider.fresh()
    async with a_gateway(provider.port, question.setup, TERMS, bad) as gate:
        return await put(question, Scene(gate, provider, TERMS))


by_number = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: str(question.number))


@pytest.mark.real
@by_number
async def test_bad_on_purpose_is_told(question: Question, answering: Provider) -> None:
    """Who fails in just this way gets a no, with evidence and not by an error."""
    verdict = await asked(question, answering, question.number)
    assert not verdict.yes, verdict.evidence
    assert verdict.evidence
    assert "error: " not in verdict.evidence


@pytest.mark.real
@by_number
async def test_good_gets_its_yes(question: Question, answering: Provider) -> None:
    """Who does what is asked for gets a yes, with evidence."""
    verdict = await asked(question, answering, 0)
    assert verdict.yes, verdict.evidence
    assert verdict.evidence
