"""The screen of refused requests: it fits, and shows nothing but printable text."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from aibridge_trio.top.refusals import Refusals
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.refusals import frame

REQUEST: dict[str, Any] = {
    "time": "2026-12-01T10:20:30.123Z",
    "request_id": "req_5a1f0c9be2d34",
    "status": 429,
    "reject": "rate_limit",
    "provider": "openai",
    "caller": "dev-07",
}


def test_a_refused_request_is_a_row() -> None:
    """When, why, where, whose; the chosen one has a mark."""
    shown = frame(
        Refusals([REQUEST, {**REQUEST, "reject": None, "cause": "no connection"}]), Canvas(120, 10)
    ).plain
    [_, _, first, second, *_] = shown.splitlines()
    assert first.split() == ["▸", "10:20:30", "429", "rate_limit", "openai", "dev-07", "req_5a1f0c9be2d34"]
    assert second.split()[2:5] == ["no", "connection", "openai"]
    assert shown.splitlines()[-1] == "↑↓ choose  Enter opens it  Esc back"


@pytest.mark.parametrize("place", [0, 50, 99])
@pytest.mark.parametrize("height", [4, 10, 40])
@pytest.mark.parametrize("width", [10, 80, 200])
def test_the_chosen_one_is_on_every_screen(width: int, height: int, place: int) -> None:
    """However many there are; lines are as wide as the screen."""
    shown = frame(Refusals([REQUEST] * 99 + [{}], place), Canvas(width, height))
    assert len(shown.lines) == height
    assert all(sum(cell_len(text) for text, _ in line) == width for line in shown.lines)
    assert "▸" in shown.plain


def test_one_that_is_open_is_wrapped() -> None:
    """And what replaces a list is a line."""
    opened = Refusals([REQUEST], 0, ["req_1, ended now", "  " + "word " * 40])
    lines = frame(opened, Canvas(40, 20)).plain.splitlines()
    assert lines[1] == "req_1, ended now"
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("word") == 40
    assert frame(Refusals(said="no request"), Canvas(40, 5)).plain.splitlines()[1] == "no request"


def test_what_peers_say_is_made_printable() -> None:
    """Escape sequences of callers or providers, and fields of any type."""
    hostile = {"time": 7, "request_id": ["x"], "status": None, "reject": "\x1b[2J", "provider": {}, "caller": "\n"}
    shown = frame(Refusals([hostile], 0), Canvas(80, 5))
    assert all(text.isprintable() for line in shown.lines for text, _ in line)
