"""The fleet on the screen: rows, lost replicas, the alert, and small screens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aibridge_trio.top.data.document import Store
from aibridge_trio.top.data.fleet import Replica
from aibridge_trio.top.screen import fleet
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.view import View
from tests.support.pictures import OPEN, a_picture, breaking


def drawn(replicas: list[Replica], view: View | None = None, width: int = 100, height: int | None = None) -> str:
    """The frame as text."""
    return fleet.frame(replicas, view or View(), Canvas(width, height)).plain


def test_a_row_for_each_and_sums() -> None:
    """A lost one keeps its row, with the cause and its age, and counts in no sum."""
    picture = a_picture(breaking("openai", **OPEN))
    degraded = replace(picture, document=replace(picture.document, store=Store("degraded", 3)))
    shown = drawn(
        [Replica("a:1", degraded), Replica("b:1", picture), Replica("c:1", picture, "connection refused", 72.0)]
    )
    assert "2 of 3 replicas" in shown
    assert "NO ANSWER from 1 of 3" in shown
    assert "1 DEGRADED" in shown
    assert "openai OPEN at 2 of 2" in shown
    assert f"in flight {2 * picture.document.in_flight}" in shown
    rows = {line[1:4]: line for line in shown.splitlines() if line[1:4] in {"a:1", "b:1", "c:1"}}
    assert "degraded" in rows["a:1"]
    assert "openai open" in rows["b:1"]
    assert "LOST" in rows["c:1"]
    assert "connection refused, last word 1m12s ago" in rows["c:1"]


@pytest.mark.parametrize("height", [1, 5, 12, 24, 60])
@pytest.mark.parametrize("width", [20, 80, 200])
def test_any_size_is_filled(width: int, height: int) -> None:
    """From corner to corner, with the chosen replica's row where it fits."""
    picture = a_picture()
    replicas = [Replica(f"r{number:02}", picture) for number in range(100)]
    frame = fleet.frame(replicas, View(replica="r60"), Canvas(width, height))
    assert len(frame.lines) == height
    if height >= 24:
        assert "▸r60" in frame.plain


def test_a_hundred_replicas() -> None:
    """On 80 × 24 the worst come first, the others are counted; providers and events have a place."""
    picture = a_picture()
    replicas = [Replica(f"r{number:02}", picture) for number in range(99)]
    lines = drawn([*replicas, Replica("r99", picture, "it hung up")], width=80, height=24).splitlines()
    assert lines[4].startswith("▸r99")
    assert any(line.strip() == "90 more below" for line in lines)
    assert any(line.startswith("▸openai") for line in lines)
    assert sum(line.startswith("r") for line in lines[-4:]) == 3
    lines = drawn(replicas, View(replica="r50"), 80, 24).splitlines()
    assert any(line.strip() == "41 more above, 48 more below" for line in lines)
    assert any(line.startswith("▸r50") for line in lines)


def test_who_differs() -> None:
    """It is said in the row, beside what is not closed; a replica that is reached twice is one."""
    picture = a_picture(breaking("openai", **OPEN))
    odd = replace(picture, document=replace(picture.document, version="0.0.9", rate_limit=7))
    shown = drawn(
        [Replica("a:1", picture), Replica("b:1", picture), Replica("c:1", odd), Replica("d:1", odd, twin="c:1")]
    )
    rows = {line[1:4]: line for line in shown.splitlines() if line[1:4] in {"a:1", "c:1", "d:1"}}
    assert "openai open; differs: version, rate limit" in rows["c:1"]
    assert "differs" not in rows["a:1"]
    assert "the same process as c:1" in rows["d:1"]
    assert "differs: version 0.1.0, but 0.0.9 at c:1\n" in shown
