"""The demo's lines fit a terminal, and say no more than the figures."""

from __future__ import annotations

import pytest

from aibridge_trio.demo import report
from aibridge_trio.demo.side import Outcome

STRAIGHT = Outcome(answered=196, failed=36, calls=589, longest=13.25)
BRIDGED = Outcome(answered=232, failed=0, calls=252, longest=9.0)
NONE = Outcome(answered=0, failed=3, calls=0, longest=None)
LARGE = Outcome(answered=99_999, failed=99_999, calls=999_999, longest=999.94)


def test_both_sides_stand_below_their_headings() -> None:
    """Figures end in the column where their heading ends."""
    sides, heading = report.introduction(20)[-2:]
    line = report.progress(7.5, [STRAIGHT, BRIDGED])
    assert line.split() == ["7.5", "s", "196", "36", "393", "232", "0", "20"]
    assert len(sides) == len(heading) == len(line)
    table = report.table({"all": [STRAIGHT, BRIDGED]})
    assert table[-1].split() == ["all", "232", "196", "393", "13.2", "s", "232", "20", "9.0", "s"]
    assert table[0] == sides
    assert len(table[1]) == len(table[-1]) == len(line)


def test_no_answer_has_no_wait() -> None:
    """A side without an answer has none that could be the longest."""
    assert report.table({"outage": [NONE, BRIDGED]})[-1].split()[:5] == ["outage", "3", "0", "0", "–"]


@pytest.mark.parametrize(
    ("straight", "bridged", "said"),
    [
        (
            STRAIGHT,
            BRIDGED,
            (
                "Of 232 requests 196 were answered straight, and 232 through the bridge: 36 more. "
                "Calls wasted: 393 straight, and 20 through the bridge: 373 fewer."
            ),
        ),
        (
            BRIDGED,
            STRAIGHT,
            (
                "Of 232 requests 232 were answered straight, and 196 through the bridge: 36 fewer. "
                "Calls wasted: 20 straight, and 393 through the bridge: 373 more."
            ),
        ),
        (
            NONE,
            NONE,
            (
                "Of 3 requests 0 were answered straight, and 0 through the bridge: as many. "
                "Calls wasted: 0 straight, and 0 through the bridge: as many."
            ),
        ),
    ],
    ids=["better", "worse", "the same"],
)
def test_the_words_say_what_was_measured(straight: Outcome, bridged: Outcome, said: str) -> None:
    """In a run in which the bridge does worse, too."""
    assert " ".join(report.verdict(straight, bridged)) == said


def test_every_line_fits_80_columns() -> None:
    """With large figures and long texts, too."""
    lines = [
        *report.introduction(1e4),
        report.progress(9999.9, [LARGE, LARGE]),
        *report.table({"brownout": [LARGE, LARGE]}),
        *report.verdict(LARGE, LARGE),
        *report.event(9999.9, "brownout", "a word and another " * 9),
    ]
    assert max(map(len, lines)) <= report.WIDTH == 80


def test_an_event_says_when_it_begins() -> None:
    """With its name, and further lines below its text."""
    first, second = report.event(4.5, "calm", "word " * 15)
    assert first.startswith("   4.5 s  CALM      word ")
    assert second.startswith(" " * 20 + "word")
