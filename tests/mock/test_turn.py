"""One turn, the same for the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT


async def test_the_same_request_gets_the_same_answer() -> None:
    """Nothing in an answer comes from chance or the clock."""
    asked = ASK | {"stream": True}
    first, second = [await call(Mock(MockOptions()), CHAT, asked) for _ in range(2)]
    assert first.body == second.body
    assert first.headers == second.headers
