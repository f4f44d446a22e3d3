"""The picture of the dashboard is what its recording gives."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from tools import dashboard

ROOT = Path(__file__).parents[3]


def test_the_picture_is_drawn_from_the_recording() -> None:
    """`python -m tools.dashboard` writes what is there."""
    assert not dashboard.outdated()


def test_it_has_every_panel_of_the_dashboard() -> None:
    """With lines, each within its frame."""
    panels = json.loads((ROOT / "deploy" / "grafana" / "aibridge.json").read_text())["panels"]
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    picture = ET.fromstring(dashboard.generated())
    name = "{http://www.w3.org/2000/svg}"
    groups = picture.findall(f"{name}g")
    assert [group.findtext(f"{name}text") for group in groups] == titles
    for group in groups:
        lines = group.findall(f"{name}polyline")
        assert lines
        for line in lines:
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= 236
                assert 0 <= y <= 104
