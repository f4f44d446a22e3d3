"""The rules of deploy/prometheus/alerts.yml, and a copy of them for tests that cannot wait for minutes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alerts.yml"
_RULE = re.compile(
    r"^      - alert: (?P<name>\w+)\n"
    r"        expr: \|\n(?P<expr>(?:          .*\n)+)"
    r"        for: (?P<lasts>\w+)\n"
    r"        labels: \{severity: (?P<severity>\w+)\}\n"
    r"        annotations:\n"
    r'          summary: "(?P<summary>.*)"\n'
    r'          runbook_url: "(?P<runbook>.*)"\n',
    re.MULTILINE,
)
_WINDOW = re.compile(r"\[\d+[mhd]\]")
_LASTS = re.compile(r"^        for: (?!0s).*$", re.MULTILINE)


class Rule(NamedTuple):
    """One alert as the file has it."""

    name: str
    expr: str
    lasts: str
    severity: str
    summary: str
    runbook: str

    def annotations(self, labels: dict[str, str]) -> dict[str, str]:
        """Return the annotations of an alert with these labels."""
        summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], self.summary)
        return {"summary": summary, "runbook_url": self.runbook}


def rules() -> list[Rule]:
    """Return all rules; an AssertionError if one has another form."""
    text = FILE.read_text()
    found = [Rule(**each.groupdict()) for each in _RULE.finditer(text)]
    assert len(found) == text.count("- alert:")
    return found


def hurried(window: str, lasts: str, **seconds: str) -> str:
    """Return the file with this window in place of each, and this `for`; AIBridgeDown is for ten failed scrapes.

    `seconds` are other numbers of seconds in conditions, by the alert that has them.
    """
    text = _LASTS.sub(f"        for: {lasts}", _WINDOW.sub(f"[{window}]", FILE.read_text()))
    before, after = text.split("- alert: AIBridgeDown\n")
    text = f"{before}- alert: AIBridgeDown\n{after.replace(f'for: {lasts}', 'for: 10s', 1)}"
    for name, number in seconds.items():
        before, after = text.split(f"- alert: {name}\n")
        text = (
            f"{before}- alert: {name}\n{re.sub(r'> [0-9]+$', f'> {number}', after, count=1, flags=re.MULTILINE)}"
        )
    return text
