"""The samples and the verdict as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.soak import drift
from bench.soak.drift import Sample

_COLUMNS = ("requests", "s", "RSS KiB", "fds", "TCP", "threads", "tasks", "objects", "blocks", "garbage", "held")
_WIDTHS = (9, 6, 8, 4, 4, 7, 5, 8, 8, 7, 4)


def head() -> str:
    """Return the table's head."""
    return _line(_COLUMNS)


def row(sample: Sample) -> str:
    """Return a sample's row."""
    return _line(
        (
            f"{sample.requests:,}",
            f"{sample.seconds:.0f}",
            f"{sample.resident:,}",
            str(sample.descriptors),
            str(sample.tcp),
            str(sample.threads),
            str(sample.tasks),
            f"{sample.objects:,}",
            f"{sample.blocks:,}",
            f"{sample.garbage:,}",
            str(sum(sample.held.values())),
        )
    )


def verdict(samples: Sequence[Sample], complaints: Sequence[str], most: int) -> tuple[list[str], bool]:
    """Return the lines of the verdict, and whether all is well; `most` complaints are shown."""
    findings = drift.judge(samples)
    lines = [f"{'BAD ' if each.bad else 'good'}  {each.text}" for each in findings]
    if complaints:
        lines += [f"BAD   {len(complaints)} complaints", *(f"      {each}" for each in complaints[:most])]
    else:
        lines.append("good  no bug in the log, no wrong answer, no request without an end")
    bad = bool(complaints) or any(each.bad for each in findings)
    if bad and (grown := drift.grown(samples)):
        lines.append("      grew since the warm-up: " + counted(dict(grown)))
    return lines, not bad


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in one line, the largest first."""
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{what} {number:,}" for what, number in ordered if number)


def _line(cells: Iterable[str]) -> str:
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
