"""A frame has the size of its terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.view import View
from tests.support.pictures import (
    NOW,
)
from tests.support.scenes import (
    HERE,
    LOST,
    PICTURES,
    SCENES,
    VIEWS,
    anything,
    holds_its_size,
)
from tests.support.status_documents import DOCUMENTS


@given(PICTURES, VIEWS, LOST, st.integers(1, 250), st.integers(1, 80), st.booleans(), st.floats(0, 1e6))
def test_a_frame_has_the_size_of_its_terminal(
    picture: Picture | None, view: View, lost: str, width: int, height: int, ascii_: bool, late: float
) -> None:
    """Whatever is shown wherever, a frame has its height, no line is too wide, and no code is in it."""
    link, canvas = Link("http://bridge:4002", lost), Canvas(width, height, UTC, ascii_)
    drawn = frame(picture, view, link, canvas, NOW + late)
    holds_its_size(drawn, width, height)
    assert not ascii_ or drawn.plain.isascii()


@given(DOCUMENTS, VIEWS, st.integers(1, 250), st.integers(1, 80))
def test_any_document_can_be_drawn(said: Any, view: View, width: int, height: int) -> None:
    """What the schema allows, a frame can hold, however strange it is."""
    holds_its_size(frame(anything(said), view, HERE, Canvas(width, height, UTC), NOW), width, height)


@given(PICTURES, st.integers(1, 250), st.integers(1, 80))
def test_the_foot_is_the_last_line(picture: Picture | None, width: int, height: int) -> None:
    """The keys are at the foot of every terminal, as far as they fit."""
    last = frame(picture, View(), HERE, Canvas(width, height, UTC), NOW).plain.splitlines()[-1]
    everything = "  ".join(key.short for key in KEYS if key.short)
    assert everything.startswith(last.rstrip("…"))
    assert last == everything or len(last) <= width < len(everything)
    assert width < 30 or last.startswith("q quit  ? help  p pause")


@given(PICTURES.filter(bool), st.integers(1, 250))
def test_without_a_height_everything_is_shown(picture: Picture, width: int) -> None:
    """Off a screen a frame is as high as what it shows, and has no foot."""
    drawn = frame(picture, View(), HERE, Canvas(width, None, UTC), NOW).plain
    assert "q quit" not in drawn
    if width >= 150:
        named = [each.name for each in picture.document.providers]
        named += [each.hint for each in picture.document.callers]
        named += [reason for reason, times in picture.document.rejects.items() if times]
        named += [each.because[:20] for each in picture.document.events]
        assert [name for name in named if name not in drawn] == []


def test_the_choice_is_marked_and_always_on_screen() -> None:
    """The chosen row has a mark, and in a low terminal the other rows give way to it."""
    scene = SCENES["twelve-providers"]
    for number in range(1, 13):
        for height in range(8, 41):
            view = View(chosen=f"region-{number}")
            lines = replace(scene, view=view).lines(80, height)
            assert any(re.match(rf"▸region-{number} ", line) for line in lines), height
            assert {line.split()[0] for line in lines if line.startswith("▸")} == {f"▸region-{number}"}


@pytest.mark.parametrize("height", range(9, 40))
def test_a_low_terminal_shows_what_matters_most(height: int) -> None:
    """Alert, totals and the sick stay; reasons stay longer than events; every block has its head."""
    lines = SCENES["all-at-once"].lines(80, height)
    assert lines[1].startswith("openai OPEN")
    heads = ("PROVIDER", "UPSTREAM", "REJECTS BY", "EVENTS")
    found = [head for head in heads if any(line.startswith(head) for line in lines)]
    assert found[0] == "PROVIDER"
    assert any(line.startswith("▸openai    OPEN") for line in lines)
    if "EVENTS" in found or "UPSTREAM" in found:
        assert "REJECTS BY" in found
    for head in found:
        place = next(number for number, line in enumerate(lines) if line.startswith(head))
        assert lines[place + 1].strip()
