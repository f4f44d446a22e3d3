"""Failures by chance, repeatable by a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT


async def test_failures_are_drawn_as_often_as_asked() -> None:
    """With --fail 429:0.3 and 503:0.2 half of the requests fail, in that proportion."""
    mock = Mock(MockOptions(fail=((429, 0.3), (503, 0.2)), seed=1))
    for _ in range(1000):
        await call(mock, CHAT, ASK)
    by_status = mock.statistics().by_status
    assert by_status["429"] == pytest.approx(300, abs=45)
    assert by_status["503"] == pytest.approx(200, abs=40)


async def test_a_seed_makes_failures_repeatable() -> None:
    """Two mocks with one seed fail at the same requests."""

    async def statuses() -> list[int]:
        mock = Mock(MockOptions(fail=((529, 0.5),), seed=7))
        return [(await call(mock, "/v1/messages", ASK)).status for _ in range(32)]

    first = await statuses()
    assert set(first) == {200, 529}
    assert first == await statuses()
