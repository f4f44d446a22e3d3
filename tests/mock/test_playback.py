"""The pace of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    from trio.testing import MockClock
from tests.mock.test_mock import ASK, CHAT


async def test_a_stream_is_paced_by_its_words(autojump_clock: MockClock) -> None:
    """At 4 words a second, 8 words come every 250 ms and the end 2 s after the head."""
    mock = Mock(MockOptions(latency=3, tokens=8, tokens_per_second=4))
    answer = await call(mock, CHAT, ASK | {"stream": True})
    assert answer.head_at == pytest.approx(3)
    assert [at for at, _ in answer.pieces] == pytest.approx([3 + n / 4 for n in range(9)])


async def test_a_unary_answer_takes_as_long_as_its_stream(autojump_clock: MockClock) -> None:
    """A unary answer's head comes after the latency and the time that its words take."""
    mock = Mock(MockOptions(latency=3, tokens=8, tokens_per_second=4))
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(5)
    assert (await call(mock, "/v1/embeddings", ASK)).head_at == pytest.approx(3)


async def test_a_delay_adds_to_the_latency(autojump_clock: MockClock) -> None:
    """A scripted delay comes on top, for this one answer."""
    mock = Mock(MockOptions(latency=1))
    await call(mock, "/mock/script", {"answers": [{"delay": 600}]})
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(601)
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(1)


async def test_chunks_are_apart_by_their_delay(autojump_clock: MockClock) -> None:
    """Each chunk is a piece of its own, the delay between them."""
    mock = Mock(MockOptions())
    await call(mock, "/mock/script", {"answers": [{"chunks": ["a", "b", "c"], "chunk_delay": 20}]})
    answer = await call(mock, CHAT, ASK)
    assert [piece for _, piece in answer.pieces] == [b"a", b"b", b"c"]
    assert [at for at, _ in answer.pieces] == pytest.approx([0, 20, 40])


async def test_without_pace_an_answer_is_few_pieces() -> None:
    """As fast as possible means few sends, for a long stream too."""
    mock = Mock(MockOptions(tokens=1000))
    answer = await call(mock, CHAT, ASK | {"stream": True})
    assert answer.body.count(b"data: ") == 1003
    assert len(answer.pieces) <= len(answer.body) / 16_000 + 1
