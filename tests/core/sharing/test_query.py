"""What is on its way to a store."""

from __future__ import annotations

from aibridge_trio.core.sharing.needs import Ask, Away, Leave
from aibridge_trio.core.sharing.query import Query, Sent


def test_a_query_without_an_answer_is_away() -> None:
    """An op that is no ask has no result."""
    assert Query(["ask", [], [], 0], 0.0, Ask()).answer == Away()
    assert Query(["totals", [], []], 0.0).answer is None


def test_a_batch_has_queries_and_posts() -> None:
    """And ops whose result means nothing."""
    query, left = Query(["totals", [], []], 0.0), Leave((("slots", 1),))
    sent = Sent([query, None, left], 0.0)
    assert (sent.queries(), sent.posts(), sent.registers) == ([query], [left], False)
