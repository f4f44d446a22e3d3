"""Text from peers, made safe for a terminal, a log line or a message."""

from __future__ import annotations


def visible(text: str, limit: int | None = None) -> str:
    """The text on one line and without control codes, cut at `limit` characters."""
    cut = text if limit is None or len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def quoted(text: str, limit: int = 60) -> str:
    """The text as a message quotes it."""
    return f'"{visible(text, limit)}"'
