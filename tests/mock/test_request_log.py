"""What the mock counts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    from trio.testing import MockClock
from tests.mock.test_mock import ASK, CHAT


@pytest.mark.parametrize("moment", ["latency", "stream", "stall"])
async def test_who_leaves_early_has_aborted(moment: str, autojump_clock: MockClock) -> None:
    """Leaving before the head, in mid-stream or in a stall is counted, each once."""
    options = {"latency": MockOptions(latency=9), "stream": MockOptions(tokens_per_second=1)}
    mock = Mock(options.get(moment, MockOptions()))
    if moment == "stall":
        await call(mock, "/mock/script", {"answers": [{"fault": "stall"}]})
    leave, start = trio.Event(), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(call, mock, CHAT, ASK | {"stream": True}, leave=leave))
        await trio.sleep(5)
        assert mock.statistics().in_flight == 1
        leave.set()
    stats = mock.statistics()
    assert (stats.aborted, stats.in_flight) == (1, 0)
    assert trio.current_time() - start == pytest.approx(5)
