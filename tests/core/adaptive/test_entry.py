"""One request in the adaptive limiter."""

from __future__ import annotations

from aibridge_trio.core.adaptive.entry import Entry, Stage


def test_an_entry_shows_its_stage_and_nothing_of_its_caller() -> None:
    """A repr may reach a log."""
    entry = Entry(b"secret")
    assert repr(entry) == "<Entry outside>"
    entry.stage = Stage.HELD
    assert repr(entry) == "<Entry held>"
