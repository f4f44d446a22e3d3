"""Tables in Markdown."""

from __future__ import annotations

from tests.tools.tuning.test_means import numbers
from tools.tuning import tables
from tools.tuning.sections import SECTIONS, Section


def test_a_table_has_the_default_in_bold() -> None:
    """The others stand against it; minus is a minus, nothing has no sign."""
    section = Section("s", "`x`", ("day",), SECTIONS[1].rows[:2], SECTIONS[1].rows[1].label)
    found = {("day", "1 / 1.5"): numbers(0.5, 0.6), ("day", "1.25 / 1.5"): numbers(0.6, 0.7)}
    bold = ("1.25 / 1.5", "65.0%", "", "1,234", "5.0%", "0.99", "0.6 s", "--", "0.0 s", "never")
    assert tables.table(section, found).splitlines()[2:] == [
        "| day | 1 / 1.5 | 55.0% | −10.0 ± 0.0 | 1,234 | 5.0% | 0.99 | 0.6 s | -- | 0.0 s | never |",
        f"|  | {' | '.join(f'**{cell}**' if cell else cell for cell in bold)} |",
    ]
