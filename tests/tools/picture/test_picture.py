"""docs/top.svg is the dashboard's frame of the recorded run, and shows everywhere alike."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tools import picture


def test_the_committed_picture_is_what_the_tool_draws() -> None:
    """`python -m tools.picture` writes it, and drawing has no clock, no chance and no environment in it."""
    assert not picture.outdated()


def test_a_picture_that_is_missing_or_differs_is_outdated(tmp_path: Path) -> None:
    """So --check tells."""
    (tmp_path / "docs").mkdir()
    assert picture.outdated(tmp_path)
    picture.write(tmp_path)
    assert not picture.outdated(tmp_path)
    with (tmp_path / picture.PATH).open("a") as file:
        file.write(" ")
    assert picture.outdated(tmp_path)


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the terminal's size and colors nor the time zone do."""
    before = picture.generated()
    for name, value in (("COLUMNS", "40"), ("NO_COLOR", "1"), ("TERM", "dumb"), ("TZ", "Asia/Tokyo")):
        monkeypatch.setenv(name, value)
    assert picture.generated() == before


def test_a_page_loads_nothing_for_it() -> None:
    """It is XML without links, scripts or web fonts, and fits a README's column."""
    text = picture.generated()
    root = ET.fromstring(text)
    assert int(root.attrib["width"]) <= 900
    assert re.findall(r"https?://[^\"< ]+", text.replace("http://127.0.0.1:4002", "")) == [
        "http://www.w3.org/2000/svg"
    ]
    assert not re.search(r"@font-face|@import|<script|<image|href", text)
    assert "monospace" in text
