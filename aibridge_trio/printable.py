"""Makes text from peers and files safe for terminals, log lines and messages."""

from __future__ import annotations


def visible(text: str, limit: int | None = None) -> str:
    """Return the text with control codes and line ends escaped, cut after `limit` characters (before escaping)."""
    cut = text if limit is None or len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def quoted(text: str, limit: int = 60) -> str:
    """Return the text in double quotes for a message: escaped, and cut after `limit` characters."""
    return f'"{visible(text, limit)}"'
