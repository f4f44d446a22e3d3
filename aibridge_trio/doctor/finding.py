"""What was found: a line for people, or a part of the JSON document. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from aibridge_trio.printable import visible

Level = Literal["ok", "warning", "error"]
Topic = Literal["configuration", "provider", "clock", "descriptors", "files", "limits", "callers"]
# Characters of each text that is shown.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: how it is, of what, where, in words, and what to do (empty if nothing)."""

    level: Level
    topic: Topic
    where: str
    text: str
    remedy: str = ""


def well(findings: Sequence[Finding]) -> bool:
    """Return whether there is neither a warning nor an error."""
    return all(each.level == "ok" for each in findings)


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each finding, and one for all."""
    for each in findings:
        said = "; ".join(visible(text, _LONGEST) for text in (each.text, each.remedy) if text)
        place = f"{visible(each.where, _LONGEST)}: " if each.where else ""
        yield f"{each.level:<8} {each.topic:<14} {place}{said}"
    yield _conclusion(findings)


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as JSON types."""
    return {"valid": True, "well": well(findings), "findings": [asdict(each) for each in findings]}


def _conclusion(findings: Sequence[Finding]) -> str:
    count = Counter(each.level for each in findings)
    found = [
        f"{count[level]} {level}{'s' if count[level] > 1 else ''}"
        for level in ("error", "warning")
        if count[level]
    ]
    return ", ".join(found) or "all is well"
