"""Sections as panels of one SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from tests.tools.tuning.test_means import numbers
from tools.tuning.chart import chart
from tools.tuning.sections import SECTIONS, Section

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [row.label for row in SECTIONS[1].rows[:2]]


def drawn(*shares: float) -> ET.Element:
    """A chart of one section with two rows and one scenario."""
    section = Section("s", "`x<y`", ("day",), SECTIONS[1].rows[:2], LABELS[1])
    found = {("day", label): numbers(share) for label, share in zip(LABELS, shares, strict=True)}
    return ET.fromstring(chart([section], {"s": found}))


def test_a_point_is_as_high_as_its_share() -> None:
    """All answered is at the top, none at the bottom, half in the middle."""

    def heights(*shares: float) -> list[float]:
        return [
            float(each.attrib["cy"]) for each in drawn(*shares).iter(f"{SVG}circle") if each.attrib["r"] == "2.5"
        ]

    top, bottom = heights(1.0, 0.0)
    assert top < bottom
    assert heights(0.5, 0.5) == [(top + bottom) / 2] * 2


def test_the_default_is_shaded() -> None:
    """The column of the chosen row, and no other."""
    [shaded] = [each for each in drawn(1.0, 0.5).iter(f"{SVG}rect") if each.attrib.get("class") == "chosen"]
    left, width = float(shaded.attrib["x"]), float(shaded.attrib["width"])
    points = [
        float(each.attrib["cx"]) for each in drawn(1.0, 0.5).iter(f"{SVG}circle") if each.attrib["r"] == "2.5"
    ]
    assert [left < x < left + width for x in points] == [False, True]


def test_every_label_is_in_the_chart() -> None:
    """Also with characters that XML escapes; a label in two parts has two lines."""
    text = " ".join(each.text or "" for each in drawn(1.0, 0.5).iter(f"{SVG}text"))
    for part in ("x<y", "day", *LABELS[0].split(" / "), *LABELS[1].split(" / ")):
        assert re.search(rf"(^| ){re.escape(part)}( |$)", text), part
