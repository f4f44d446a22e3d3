"""The application contains failures, and serves HTTP only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT


async def test_a_bug_is_contained_to_its_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong inside is a 500 with a line on stderr, and the next request is served."""
    mock = Mock(MockOptions())
    monkeypatch.setattr(mock, "_wall_clock", lambda: 1 / 0)
    assert (await call(mock, CHAT, ASK)).status == 500
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert mock.statistics().in_flight == 0
    monkeypatch.undo()
    assert (await call(mock, CHAT, ASK)).status == 200


async def test_only_http_is_answered() -> None:
    """Lifespan and its like return without a word."""

    async def never(*_: Any) -> Any:
        raise AssertionError

    await Mock(MockOptions()).app({"type": "lifespan"}, never, never)
