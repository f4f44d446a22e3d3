"""docs/tuning.md says what the simulator says."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tools import tuning
from tools.tuning import page

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / tuning.PAGE).read_text(encoding="utf-8")


def test_every_part_is_made_from_what_is_there() -> None:
    """Settings, days, what comes of a usual one as it is chosen; else run python -m tools.tuning."""
    assert {name: digest for name, (digest, _) in page.parts(PAGE).items()} == tuning.digests()


def test_what_the_example_compares_is_what_is_played() -> None:
    """The table to the byte, and the command above it names its settings."""
    assert page.parts(PAGE)["tried"][1] == f"\n```text\n{tuning.tried().rstrip()}\n```\n\n"
    command = PAGE.partition("--policy aibridge,none \\\n")[2].partition("```")[0]
    assert [each.strip() for each in tuning.TRIED.split(",")] == [
        each.strip().strip('"') for each in command.split("--compare")[1:]
    ]


@pytest.mark.parametrize("path", tuning.CURVES)
def test_a_picture_is_drawn_from_what_is_played(path: str) -> None:
    """Second by second, to the byte."""
    assert (ROOT / path).read_text(encoding="utf-8") == tuning.curves(path)


@pytest.mark.parametrize("name", ["policies", "growth", "options"])
def test_a_picture_is_well_formed_and_shown(name: str) -> None:
    """It stands in the page, and has colours for dark and for light."""
    text = (ROOT / "docs" / "tuning" / f"{name}.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert f"](tuning/{name}.svg)" in PAGE


def test_what_differs_is_named_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing or differs is out of date; to write mends it."""
    monkeypatch.setattr(tuning, "generated", lambda root, over: {"a.md": "a\n", "b.svg": "b\n"})
    (tmp_path / "a.md").write_text("a\n")
    assert tuning.outdated(tmp_path) == ["b.svg"]
    tuning.write(tmp_path)
    assert tuning.outdated(tmp_path) == []


def test_check_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --check all is written; with it what is out of date is named, and how to mend it."""
    written = []
    monkeypatch.setattr(
        tuning, "write", lambda over, sharing_only=False: written.append("sharing" if sharing_only else "all")
    )
    monkeypatch.setattr(tuning, "outdated", lambda over: ["docs/tuning.md"])
    monkeypatch.setattr(sys, "argv", ["tuning", "--check"])
    with pytest.raises(SystemExit, match=r"^out of date: docs/tuning\.md; run python -m tools\.tuning$"):
        runpy.run_module("tools.tuning", run_name="__main__")
    monkeypatch.setattr(sys, "argv", ["tuning", "--help"])
    with pytest.raises(SystemExit, match=r"^usage: "):
        runpy.run_module("tools.tuning", run_name="__main__")
    assert written == []
    monkeypatch.setattr(sys, "argv", ["tuning"])
    runpy.run_module("tools.tuning", run_name="__main__")
    monkeypatch.setattr(sys, "argv", ["tuning", "--sharing"])
    runpy.run_module("tools.tuning", run_name="__main__")
    assert written == ["all", "sharing"]
