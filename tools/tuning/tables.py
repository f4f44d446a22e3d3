"""A section as a Markdown table: the chosen row in bold, the others compared with it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tools.tuning.means import Mean
from tools.tuning.sections import Section
from tools.tuning.work import Means

_HEADS = (
    "answered",
    "against it",
    "wasted calls",
    "of all",
    "fair",
    "wait p50",
    "p99",
    "told − true",
    "back after",
)


def table(section: Section, found: Means) -> str:
    """Return the table, scenario by scenario."""
    return "\n".join([*_lines(section, found)]) + "\n"


def _lines(section: Section, found: Means) -> Iterator[str]:
    yield line(["scenario", section.head, *_HEADS])
    yield "|---|---|" + "--:|" * len(_HEADS)
    for scene in section.scenes:
        chosen = found[scene, section.chosen]
        for number, row in enumerate(section.rows):
            mean = found[scene, row.label]
            cells = [
                row.label,
                f"{mean.share:.1%}",
                "" if mean is chosen else _against(mean, chosen),
                *_cells(mean),
            ]
            if row.label == section.chosen:
                cells = [cell and f"**{cell}**" for cell in cells]
            yield line([scene if number == 0 else "", *cells])


def _against(mean: Mean, chosen: Mean) -> str:
    more, error = (round(100 * each, 1) for each in mean.against(chosen))
    return f"{signed(more)} ± {error:.1f}"


def _cells(mean: Mean) -> list[str]:
    return [
        f"{mean.wasted:,.0f}",
        f"{mean.wasted_share:.1%}",
        f"{mean.fairness:.2f}",
        _seconds(mean.wait_p50),
        _seconds(mean.wait_p99),
        "--" if mean.told is None else f"{signed(round(mean.told, 1))} s",
        _seconds(mean.back),
    ]


def signed(number: float) -> str:
    """Return the number with a sign, with a typographic minus; zero without one."""
    return f"{number:+.1f}".replace("-", "−") if number else "0.0"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "--"
    return "never" if seconds == math.inf else f"{seconds:.1f} s"


def line(cells: list[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"
