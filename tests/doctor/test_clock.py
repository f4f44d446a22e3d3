"""This machine's clock against the providers'."""

from __future__ import annotations

import pytest

from aibridge_trio.doctor.clock import examine


@pytest.mark.parametrize(
    ("offsets", "level", "text"),
    [
        ([], "warning", "not compared"),
        ([0.4], "ok", "within 10 s"),
        ([-10.0], "ok", "within 10 s"),
        ([-11.0], "warning", "11 s behind"),
        ([300.0, 290.0], "error", "290 s ahead of"),
        ([-60.0], "error", "60 s behind"),
        ([3600.0, 1.0], "ok", "within 10 s"),
    ],
)
def test_the_smallest_difference_counts(offsets: list[float], level: str, text: str) -> None:
    """A provider's clock may be wrong too; without any date nothing is claimed."""
    found = examine(offsets)
    assert (found.level, found.topic) == (level, "clock")
    assert text in found.text
