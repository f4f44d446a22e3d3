"""Messages between the supervisor and a worker."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from aibridge_trio.workers.channel import Channel, Gone


async def echo(name: str, value: Any) -> Any:
    """Return what was sent."""
    await trio.lowlevel.checkpoint()
    return name, value


async def test_a_call_returns_what_the_other_end_returns(autojump_clock: MockClock) -> None:
    """Calls go both ways, however large, and several at once."""
    ours, theirs = map(Channel, memory_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        assert await ours.call("a", {"large": "x" * 300_000}) == ("a", {"large": "x" * 300_000})
        assert await theirs.call("b") == ("b", None)
        nursery.cancel_scope.cancel()


async def test_messages_arrive_in_order(autojump_clock: MockClock) -> None:
    """Each message is handled once, in order, without an answer."""
    heard: list[Any] = []

    async def hear(name: str, value: Any) -> None:
        heard.append((name, value))
        await trio.lowlevel.checkpoint()

    ours, theirs = map(Channel, memory_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, hear)
        for number in range(50):
            ours.tell("n", number)
            await trio.sleep(0.001)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert heard == [("n", number) for number in range(50)]


async def test_calls_end_when_the_other_end_does(autojump_clock: MockClock) -> None:
    """A call under way raises Gone when the other end closes, and so does one after it."""

    async def never(_name: str, _value: Any) -> None:
        await trio.sleep_forever()

    one, other = memory_stream_pair()
    ours, theirs = Channel(one), Channel(other)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, never)

        async def close() -> None:
            await trio.sleep(1)
            await other.aclose()

        nursery.start_soon(close)
        with pytest.raises(Gone):
            await ours.call("a")
        with pytest.raises(Gone):
            await ours.call("b")
        ours.tell("c")
        assert ours.closed


async def test_a_late_answer_is_gone(autojump_clock: MockClock) -> None:
    """A call that is not answered in time raises Gone; its answer disturbs no later one."""

    async def slow(_name: str, value: float) -> float:
        await trio.sleep(value)
        return value

    ours, theirs = map(Channel, memory_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, slow)
        with pytest.raises(Gone):
            await ours.call("a", 2.0, within=1.0)
        assert await ours.call("b", 3.0, within=5.0) == 3.0
        nursery.cancel_scope.cancel()
