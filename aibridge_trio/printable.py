"""Makes text from peers and files safe for terminals, log lines and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A caller's token, or most of one. It may stand where it does not belong, and what is shown is kept in logs.
_TOKEN = re.compile(r"aib_[0-9A-Za-z]{12,}")


def visible(text: str, limit: int | None = None) -> str:
    """Return the text with control codes and line ends escaped, cut after `limit` characters (before escaping).

    What looks like a caller's token is shown as `aib_…`.
    """
    if "aib_" in text:
        text = _TOKEN.sub("aib_…", text)
    cut = text if limit is None or len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def quoted(text: str, limit: int = 60) -> str:
    """Return the text in double quotes for a message: escaped, and cut after `limit` characters."""
    return f'"{visible(text, limit)}"'


def a_few(names: Iterable[str], most: int = 3) -> str:
    """Return names with commas, at most so many, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}"
