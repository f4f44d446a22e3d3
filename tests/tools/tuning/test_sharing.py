"""docs/sharing.md says what the simulator says."""

from __future__ import annotations

import re
from pathlib import Path

from tools import tuning
from tools.tuning import page, sharing

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / tuning.SHARING).read_text(encoding="utf-8")


def cells(part: str) -> list[list[str]]:
    """Return the rows of a part's table, without its head."""
    rows = [line for line in page.parts(PAGE)[part][1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def number(cell: str) -> float:
    """Return a cell's number."""
    return float(re.sub(r"[%s,*]", "", cell))


def test_every_part_is_made_from_what_is_there() -> None:
    """Scenarios, and what comes of three replicas; else run python -m tools.tuning --sharing."""
    assert {name: digest for name, (digest, _) in page.parts(PAGE).items()} == sharing.digests()


def test_with_a_store_no_promise_is_overshot() -> None:
    """By three, thirty and a thousand replicas; without one, every promise is."""
    promised, *rows = cells("replicas")
    limits = [number(cell) for cell in promised[4:8]]
    exact = [row for row in rows if row[1] == "one store"]
    assert [row[0] for row in exact] == ["3", "30", "1,000"]
    for row in exact:
        assert all(number(cell) <= limit for cell, limit in zip(row[4:8], limits, strict=True)), row
    for row in rows:
        if row[1] == "no store":
            assert all(number(cell) > limit for cell, limit in zip(row[4:8], limits, strict=True)), row


def test_parts_overshoot_by_less_than_the_page_says() -> None:
    """Below twice a limit that is no less than the number of replicas."""
    promised, *rows = cells("replicas")
    for row in rows[: 2 * len(sharing.WAYS)]:
        if row[1] in ("store away", "half cut off"):
            assert number(row[4]) < 2 * number(promised[4]), row
            assert number(row[6]) < 2 * number(promised[6]), row


def test_governors_find_their_parts() -> None:
    """What is in flight is what the provider takes, and answers are within what the page says."""
    for scene, *found in cells("governors"):
        one, three, ten, *_ = map(number, found[:3])
        levels = [number(cell) for cell in found[6:] if cell]
        assert all(90 <= level <= 105 for level in levels), scene
        if scene != "night-and-day":
            assert three >= one - 5.1, scene
            assert ten >= one - 7, scene
