from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.gateway.shared_notes import Noticeboard, seconds
from aibridge_trio.sharing.link import Link
from tests.support.memory_store import MemoryBackend, MemoryStore


async def test_notes_reach_all(autojump_clock: MockClock) -> None:
    """A note reaches the takers of its provider in all replicas; of one key only the last is sent."""
    store = MemoryStore()
    taken: list[tuple[int, str, dict[str, Any]]] = []
    async with trio.open_nursery() as nursery:
        links = [Link(MemoryBackend(store, delay=0.002, seed=each), replica_id=f"r{each}") for each in range(2)]
        boards = [Noticeboard(link, "key") for link in links]

        def taker(number: int) -> Any:
            return lambda key, note, _age: taken.append((number, key, note))

        notes = [board.join("openai", taker(number)) for number, board in enumerate(boards)]
        for link in links:
            await nursery.start(link.run)
        for each in notes:
            nursery.start_soon(each.run)
        for number in range(3):
            notes[0].leave("a", lambda number=number: ({"number": number}, 1.0))  # type: ignore[misc]
        notes[0].leave("b", lambda: None)
        await trio.sleep(0.1)
        assert sorted(taken) == [(0, "a", {"number": 2}), (1, "a", {"number": 2})]
        nursery.cancel_scope.cancel()


async def test_notes_wait_for_the_store(autojump_clock: MockClock) -> None:
    """While the store is away a note waits, at most so many do, and one that is out of date by then is dropped."""
    store = MemoryStore()
    backend = MemoryBackend(store)
    backend.refuse = True
    taken: list[str] = []
    async with trio.open_nursery() as nursery:
        link = Link(backend, replica_id="r")
        notes = Noticeboard(link, "key").join("openai", lambda key, _note, _age: taken.append(key))
        await nursery.start(link.run)
        nursery.start_soon(notes.run)
        for number in range(3_000):
            notes.leave(str(number), lambda: ({}, 1.0) if trio.current_time() < 100 else None)
        await trio.sleep(1)
        assert len(notes._waiting) <= 1_000
        backend.refuse = False
        await trio.sleep(5)
        assert "2999" in taken
        assert "0" not in taken
        nursery.cancel_scope.cancel()


async def test_lost_notes_are_left_again(autojump_clock: MockClock) -> None:
    """When the store has lost its content: those of which that was wanted, bounded, and not those out of date."""
    store = MemoryStore()
    taken: list[str] = []
    async with trio.open_nursery() as nursery:
        link = Link(MemoryBackend(store), replica_id="r")
        board = Noticeboard(link, "key")
        notes = board.join("openai", lambda key, _note, _age: taken.append(key))
        await nursery.start(link.run)
        nursery.start_soon(notes.run)
        for number in range(300):
            notes.leave(f"many{number}", lambda: ({}, 1.0), again=True)
        notes.leave("once", lambda: ({}, 1.0))
        notes.leave("twice", lambda: ({}, 1.0), again=True)
        notes.leave("short", lambda: ({}, 1.0) if trio.current_time() < 0.9 else None, again=True)
        await trio.sleep(1)
        assert "short" in taken
        for _ in range(2):  # twice within the time for which parts hold
            taken.clear()
            store.reset()
            await trio.sleep(2)
            assert len(taken) == 99
            assert "twice" in taken
            assert not {"once", "short"} & {*taken}
        nursery.cancel_scope.cancel()


async def test_notes_are_sent_as_soon_as_the_store_is_back(autojump_clock: MockClock) -> None:
    """Those that waited for it: within 100 ms after contact is made again."""
    store, backend = MemoryStore(), MemoryBackend(MemoryStore())
    taken: list[str] = []
    async with trio.open_nursery() as nursery:
        backend = MemoryBackend(store)
        link = Link(backend, replica_id="r")
        notes = Noticeboard(link, "key").join("openai", lambda key, _note, _age: taken.append(key))
        await nursery.start(link.run)
        nursery.start_soon(notes.run)
        for pause in (0.2, 0.31, 0.43):
            taken.clear()
            backend.refuse = True
            backend.reset_connection()
            await trio.sleep(1)
            notes.leave("a", lambda: ({}, 1.0))
            await trio.sleep(pause)
            backend.refuse = False
            while link.condition == "degraded":
                await trio.sleep(0.001)
            await trio.sleep(0.1)
            assert taken == ["a"]
        nursery.cancel_scope.cancel()


async def test_lies_are_not_taken() -> None:
    """Messages that are no notes are ignored, also those that a taker refuses."""
    taken: list[str] = []

    def take(key: str, note: dict[str, Any], _age: float) -> None:
        seconds(note, "left", 10.0)
        taken.append(key)

    board = Noticeboard(Link(MemoryBackend(MemoryStore()), replica_id="r"), "key")
    board.join("openai", take)
    for wrong in (
        Message("key", None, 1, {}),  # type: ignore[arg-type]
        Message("key", "openai|a", 1, []),
        Message("key", "openai|a", 1, {"left": "x"}),
        Message("key", "openai|a", 1, {"left": 1}, -1.0),
        Message("key", "other|a", 1, {"left": 1}),
    ):
        board._heard(wrong)
    assert not taken
    board._heard(Message("key", "openai|a", 1, {"left": 1e9}))
    assert taken == ["a"]
    assert seconds({"left": 1e9}, "left", 10.0) == 10.0
    with pytest.raises(ValueError, match="no time"):
        seconds({"left": True}, "left", 10.0)
