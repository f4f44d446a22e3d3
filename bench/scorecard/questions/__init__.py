"""All questions, in the order of their numbers."""

from __future__ import annotations

from bench.scorecard.asking import Question
from bench.scorecard.questions import aborts, breaker, limits, passage

QUESTIONS: tuple[Question, ...] = tuple(
    sorted(
        (
            found
            for module in (limits, aborts, breaker, passage)
            for found in vars(module).values()
            if isinstance(found, Question)
        ),
        key=lambda each: each.number,
    )
)
