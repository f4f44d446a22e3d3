"""Curves as SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from aibridge_trio.simulate.results.svg import draw
from aibridge_trio.simulate.run import POLICIES
from tests.support.simulated import played


def test_the_picture_is_xml_with_a_panel_for_each_scenario() -> None:
    """It says its names, and is read on dark pages as well."""
    text = draw(played("outage", "day"))
    ET.fromstring(text)
    assert text.count('class="title"') == 2
    assert "prefers-color-scheme: dark" in text
    assert "nan" not in text
    for name in (*POLICIES, "outage", "day"):
        assert f">{name}</text>" in text
