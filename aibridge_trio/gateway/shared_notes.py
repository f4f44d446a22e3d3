"""Notes that replicas leave each other by the store: what one has learned of a key or a provider.

A note is short-lived knowledge without conflicts: the one that was left last counts, and a replica takes of it
what it does not know better. What waits for the store is bounded: of each key there is one note. When the store
has lost its content, each replica leaves its last notes again, as far as they still say something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.sharing.store import Store

# Notes of one sender are sent once in so many seconds; after a failure the next try comes after so many.
_INTERVAL, _AGAIN = 0.02, 0.25
# What a store says may be of any size (seconds).
_LONGEST_AGE = 1e9
# What waits for the store at most, and of each sender what is left again if the store has lost it.
_MOST, _MOST_AGAIN = 1_000, 100

# Returns a note as it is now, and for how many seconds it is kept; None if it is out of date.
Write = Callable[[], tuple[dict[str, Any], float] | None]
# Takes a key, a note, and how many seconds ago it was left. Raises ValueError for what is no note.
Take = Callable[[str, dict[str, Any], float], None]


class Notes:
    """The notes about one provider. `run` must run for notes to be sent."""

    def __init__(self, store: Store, topic: str, provider: str, interval: float = _INTERVAL) -> None:
        self._store = store
        self._topic = topic
        self._provider = provider
        self._interval = interval
        self._waiting: dict[str, Write] = {}
        self._left: dict[str, Write] = {}
        self._written = trio.Event()
        self._back = trio.Event()

    def leave(self, key: str, write: Write, *, again: bool = False) -> None:
        """Leave a note: `write` returns it when it can be sent. `again`: also if the store has lost it by then."""
        self._left.pop(key, None)
        if again:
            _add(self._left, key, write, _MOST_AGAIN)
        _add(self._waiting, key, write, _MOST)
        self._written.set()

    def leave_again(self) -> None:
        """Leave the last notes again: the store has lost them."""
        for key, write in self._left.items():
            self._waiting.setdefault(key, write)
        self._written.set()

    def retry(self) -> None:
        """Send what waits now: the store may be back."""
        self._back.set()

    async def run(self) -> None:
        """Send notes, until cancelled."""
        while True:
            await self._written.wait()
            self._written = trio.Event()
            while self._waiting:
                key = next(iter(self._waiting))
                write = self._waiting.pop(key)
                note = write()
                if note is None:
                    if self._left.get(key) is write:
                        del self._left[key]
                    continue
                name = f"{self._provider}|{key}"
                sent = await self._store.call(wire.set_value(self._topic, name, -1, *note))
                if sent is None:
                    self._waiting.setdefault(key, write)
                    self._back = trio.Event()
                    with trio.move_on_after(_AGAIN):
                        await self._back.wait()
            await trio.sleep(self._interval)

    def __repr__(self) -> str:
        return f"<Notes {self._topic} {self._provider} waiting={len(self._waiting)}>"


class Noticeboard:
    """All notes of a topic that replicas leave."""

    def __init__(self, store: Store, topic: str) -> None:
        self.store = store
        self._topic = topic
        self._takers: dict[str, Take] = {}
        self._notes: dict[str, Notes] = {}
        store.on_message(topic, self._heard)
        store.on_condition(self._store_changed)
        store.on_lost(self._content_lost)

    def join(self, provider: str, take: Take, interval: float = _INTERVAL) -> Notes:
        """Return where notes about a provider are left; `take` gets those of all replicas from now on.

        Notes are sent once in `interval` seconds.
        """
        self._takers[provider] = take
        notes = self._notes[provider] = Notes(self.store, self._topic, provider, interval)
        return notes

    def _store_changed(self, _store: Store) -> None:
        for notes in self._notes.values():
            notes.retry()

    def _content_lost(self) -> None:
        for notes in self._notes.values():
            notes.leave_again()

    def _heard(self, message: Message) -> None:
        name: object = message.key
        age: object = message.age
        if not isinstance(name, str) or not isinstance(age, int | float) or not 0 <= age < math.inf:
            return
        provider, _, key = name.partition("|")
        take = self._takers.get(provider)
        if take is None or not isinstance(message.value, dict):
            return
        try:
            take(key, message.value, float(min(age, _LONGEST_AGE)))
        except ValueError:
            return

    def __repr__(self) -> str:
        return f"<Noticeboard {self._topic}>"


def _add(notes: dict[str, Write], key: str, write: Write, most: int) -> None:
    """Add a note as the last one; beyond `most` the first is dropped."""
    notes.pop(key, None)
    notes[key] = write
    if len(notes) > most:
        del notes[next(iter(notes))]


def seconds(note: dict[str, Any], name: str, most: float) -> float:
    """Return a time of a note, bounded; raises ValueError for what is none."""
    found = note.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise ValueError("no time")
    return float(min(found, most))  # in this order: an integer may be too large for a float
