"""The parts of the page of results that other commands write: each stands between two markers, and stays there."""

from __future__ import annotations

from dataclasses import dataclass

_NOTES = "## Notes\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page, by the name in its markers."""

    name: str

    @property
    def begin(self) -> str:
        """The line before the part."""
        return f"<!-- {self.name}: begin -->"

    @property
    def end(self) -> str:
        """The line behind the part."""
        return f"<!-- {self.name}: end -->"


GOODPUT, REPLICAS, SCORECARD, WORKERS = Part("goodput"), Part("replicas"), Part("scorecard"), Part("workers")
# In the order in which they stand on a page that is written anew.
PARTS = (GOODPUT, REPLICAS, WORKERS, SCORECARD)


def replaced(page: str, text: str, part: Part = SCORECARD) -> str:
    """Return a page with a part replaced, or put before its notes; "" changes nothing."""
    if not text:
        return page
    before, begin, rest = page.partition(part.begin)
    if begin:
        _, _, after = rest.partition(part.end + "\n")
        return before + text + after
    before, notes, after = page.partition(_NOTES)
    return before.rstrip("\n") + "\n\n" + text + (f"\n{notes}{after}" if notes else "")


def found(page: str, part: Part = SCORECARD) -> str:
    """Return a part of a page, with its markers; "" if the page has none."""
    _, begin, rest = page.partition(part.begin)
    inner, end, _ = rest.partition(part.end + "\n")
    return begin + inner + end if begin and end else ""


def kept(page: str, before: str) -> str:
    """Return a page that is written anew, with all the parts that stood on it before."""
    for part in PARTS:
        page = replaced(page, found(before, part), part)
    return page
