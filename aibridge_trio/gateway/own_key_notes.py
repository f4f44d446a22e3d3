"""What replicas tell each other of callers' own keys at one provider.

Callers may have any number of keys, so there is not a note for each: a replica has one note, with the keys of
which it learned something last. A key is named by its caller's hash, keyed with a secret of the deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from secrets import token_hex
from typing import Any

from aibridge_trio.gateway.shared_notes import Notes

# Such a note is sent once in so many seconds: it may be a few kilobytes.
INTERVAL = 0.05
# The longest name of a key: 32 bytes.
_LONGEST_NAME = 64

# Returns the note of a key, as JSON types, at a time.
WriteKey = Callable[[float], Any]
# Takes what another replica told of a key so many seconds ago. Raises ValueError for what is nothing of a key.
TakeKey = Callable[[bytes, Any, float], None]


class OwnKeyNotes:
    """One replica's note in `notes`, of at most `most` keys, and the notes of the others, which `take` gets."""

    def __init__(self, notes: Notes, clock: Callable[[], float], take: TakeKey, most: int) -> None:
        self._notes = notes
        self._clock = clock
        self._take_key = take
        self._most = most
        self._name = f"own:{token_hex(6)}"
        self._keys: dict[str, tuple[float, WriteKey]] = {}

    def tell(self, key: bytes, until: float, write: WriteKey) -> None:
        """Tell the others of a key; `write` returns what there is to tell of it until then."""
        name = key.hex()
        self._keys.pop(name, None)
        self._keys[name] = until, write
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
        self._notes.leave(self._name, self._write, again=True)

    def take(self, sender: str, note: dict[str, Any], age: float) -> bool:
        """Take a note; return whether it was one of callers' own keys. A note of no key changes nothing."""
        if not sender.startswith("own:"):
            return False
        for name, told in islice(note.items() if sender != self._name else (), self._most):
            if len(name) > _LONGEST_NAME:
                continue
            try:
                self._take_key(bytes.fromhex(name), told, age)
            except ValueError:
                continue
        return True

    def _write(self) -> tuple[dict[str, Any], float] | None:
        now = self._clock()
        self._keys = {name: each for name, each in self._keys.items() if each[0] > now}
        if not self._keys:
            return None
        note = {name: write(now) for name, (_, write) in self._keys.items()}
        return note, max(until for until, _ in self._keys.values()) - now

    def __repr__(self) -> str:
        return f"<OwnKeyNotes {len(self._keys)} keys>"
