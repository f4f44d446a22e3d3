"""The part of the page of results that another command writes: it stands between two markers, and stays there."""

from __future__ import annotations

BEGIN, END = "<!-- scorecard: begin -->", "<!-- scorecard: end -->"
_NOTES = "## Notes\n"


def replaced(page: str, part: str) -> str:
    """Return a page with its part between the markers replaced, or put before its notes; "" changes nothing."""
    if not part:
        return page
    before, begin, rest = page.partition(BEGIN)
    if begin:
        _, _, after = rest.partition(END + "\n")
        return before + part + after
    before, notes, after = page.partition(_NOTES)
    return before.rstrip("\n") + "\n\n" + part + (f"\n{notes}{after}" if notes else "")


def found(page: str) -> str:
    """Return the part of a page between the markers, with them; "" if it has none."""
    _, begin, rest = page.partition(BEGIN)
    inner, end, _ = rest.partition(END + "\n")
    return begin + inner + end if begin and end else ""
