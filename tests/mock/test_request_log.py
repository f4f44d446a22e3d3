"""What the mock counts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.mock.request_log import RequestLog
from tests.support.mock_provider import call

if TYPE_CHECKING:
    from trio.testing import MockClock

    from aibridge_trio.server.asgi import Message
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


@pytest.mark.parametrize(
    ("length", "settled"), [(b"4", [False, False, True, True]), (None, [False, False, False, True]), (b"x", None)]
)
async def test_a_caller_that_has_the_whole_answer_finds_its_request_settled(
    length: bytes | None, settled: list[bool] | None
) -> None:
    """A Content-Length makes the last byte the end, else it is the end of the chunks."""
    found = []
    with RequestLog().entry({"type": "http", "method": "POST", "raw_path": CHAT.encode(), "headers": []}) as entry:

        async def send(_: Message) -> None:
            found.append(entry.settled)

        watched = entry.watch(send)
        headers = [(b"Content-Length", length)] if length else []
        await watched({"type": "http.response.start", "status": 200, "headers": headers})
        for piece, more in ((b"ab", True), (b"cd", True), (b"", False)):
            await watched({"type": "http.response.body", "body": piece, "more_body": more})
    assert found == (settled or [False, False, False, True])
