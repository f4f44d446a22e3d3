"""The dashboard's colours."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from rich.console import Console

from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.view import View
from tests.support.pictures import (
    NOW,
)
from tests.support.scenes import (
    HEALTHY,
    HERE,
    LOST,
    LOW,
    MIDDLE,
    SCENES,
    WIDE,
    Scene,
    anything,
    colours,
    is_urgent,
)
from tests.support.status_documents import DOCUMENTS


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [LOW, MIDDLE, WIDE])
def test_red_is_an_open_breaker_or_a_lost_bridge(name: str, size: tuple[int, int]) -> None:
    """In every scene there is red if and only if a breaker is open or the bridge is lost."""
    scene = SCENES[name]
    red = [text for _, colour, text in colours(scene.frame(*size)) if colour == "red"]
    assert bool(red) == is_urgent(scene.picture, scene.lost), red


@given(DOCUMENTS, LOST)
def test_red_is_nothing_else(said: Any, lost: str) -> None:
    """Whatever a bridge says, red is for what is out of service."""
    picture = anything(said)
    drawn = frame(picture, View(), replace(HERE, lost=lost), Canvas(120, 40, UTC), NOW)
    assert any(colour == "red" for _, colour, _ in colours(drawn)) == is_urgent(picture, lost)


def test_red_is_where_the_open_breaker_is() -> None:
    """Red are the alert, the open provider's name, its state and what is left, and nothing of other providers."""
    drawn = SCENES["open"].frame(80, 24)
    red = [(number, text.strip()) for number, colour, text in colours(drawn) if colour == "red"]
    assert red == [
        (1, "openai OPEN, 25s left"),
        (6, "▸openai"),
        (6, "OPEN"),
        (6, "25s"),
        (10, "▸openai"),
    ]


def test_a_full_limiter_stands_out() -> None:
    """A full limiter is bold where all else is plain: in the alert, the bar and the number."""
    drawn = SCENES["full"].frame(80, 24)
    loud = [text.strip() for line in drawn.lines[:5] for text, style in line if style == "bold yellow"]
    assert loud[:1] == ["FULL"]
    assert loud[-2:] == ["█" * 20, "50 of 50"]
    assert not any(style == "bold yellow" for line in Scene(HEALTHY).frame(80, 24).lines[2:] for _, style in line)


@pytest.mark.parametrize("size", [LOW, MIDDLE, WIDE])
def test_a_lost_bridges_picture_is_grey(size: tuple[int, int]) -> None:
    """When the bridge is gone only the alert has a colour, and all of the last picture is still there, dimmed."""
    scene = SCENES["lost-later"]
    drawn = scene.frame(*size)
    assert [(number, colour) for number, colour, _ in colours(drawn)] == [(1, "red")]
    assert {style for line in drawn.lines[2:-1] for text, style in line if text.strip()} == {"dim"}
    there = replace(scene, lost="", silence=0.4, view=View(paused=True)).frame(*size)
    assert drawn.plain.splitlines()[2:] == there.plain.splitlines()[2:]


def drawn_by_rich(drawn: Frame, **options: Any) -> str:
    """What a console sends to a terminal."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, **options)
    console.print(drawn, end="")
    return out.getvalue()


CODES = re.compile(r"\x1b\[([0-9;]*)m")


def colour_codes(sent: str) -> set[int]:
    """Which codes for colours are in it."""
    codes = {int(code) for found in CODES.findall(sent) for code in found.split(";") if code}
    return {code for code in codes if 30 <= code <= 49 or 90 <= code <= 107}


@pytest.mark.parametrize("name", SCENES)
def test_without_colours_no_colours_are_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, or a console without colours, gets the same text and no code for a colour."""
    drawn = SCENES[name].frame(80, 24)
    plain = drawn_by_rich(drawn, no_color=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    by_variable = drawn_by_rich(drawn, color_system="standard")
    for sent in (plain, by_variable):
        assert colour_codes(sent) == set()
        text = CODES.sub("", sent)
        assert [line.rstrip() for line in text.splitlines()] == drawn.plain.splitlines()


def test_with_colours_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red, yellow and green are the terminal's own; no background is touched."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    sent = drawn_by_rich(SCENES["open"].frame(80, 24), color_system="standard")
    assert colour_codes(sent) == {31, 32, 33}
    assert colour_codes(drawn_by_rich(Scene(HEALTHY).frame(80, 24), color_system="standard")) == {32, 33}
