"""Runs of the simulator for the sections."""

from __future__ import annotations

from pathlib import Path

from tools import tuning
from tools.tuning import page, tables, work
from tools.tuning.sections import SECTIONS

ROOT = Path(__file__).parents[3]


PAGE = (ROOT / tuning.PAGE).read_text(encoding="utf-8")


# Small enough to be played as a whole with every run of the tests.
PLAYED = "circuit_breaker_slow_first_byte"


BY_NAME = {section.name: section for section in SECTIONS}


def test_a_section_holds_what_is_played() -> None:
    """One section to the byte; the others by python -m tools.tuning --check, which takes minutes."""
    section = BY_NAME[PLAYED]
    found = work.means([section], map)[PLAYED]
    assert page.parts(PAGE)[PLAYED][1] == f"\n{tables.table(section, found)}\n"
