"""A replica's note of callers' own keys; see also test_shared_cooldowns.py and test_shared_governor.py."""

from __future__ import annotations

from typing import Any

from aibridge_trio.gateway.own_key_notes import OwnKeyNotes
from aibridge_trio.gateway.shared_notes import Notes
from aibridge_trio.sharing.store import OwnStore


def test_the_latest_keys_that_still_matter_are_told() -> None:
    """Of more keys than a note has, the latest; none whose time is over; its own note teaches nothing."""
    now, taken = 0.0, dict[bytes, Any]()
    notes = Notes(OwnStore(), "topic", "openai")
    keys = OwnKeyNotes(notes, lambda: now, lambda key, told, _age: taken.update({key: told}), 3)
    for number in range(5):
        keys.tell(bytes([number]), 10.0 + number, lambda now, number=number: [number, now])  # type: ignore[misc]
    [(name, write)] = notes._waiting.items()
    now = 12.5
    assert write() == ({"03": [3, 12.5], "04": [4, 12.5]}, 1.5)
    assert keys.take(name, {"03": 1}, 0.0)
    assert not taken
    assert not keys.take("quota", {"03": 1}, 0.0)
    assert keys.take("own:other", {"03": 1, "no hash": 2, "04": 2, "05": 3}, 0.0)
    assert taken == {b"\3": 1, b"\4": 2}
    now = 20.0
    assert write() is None
