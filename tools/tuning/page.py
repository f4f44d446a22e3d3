"""docs/tuning.md: prose written by hand, and generated parts between marks."""

from __future__ import annotations

import re
from collections.abc import Mapping

# <!-- NAME DIGEST --> … <!-- end -->
_PART = re.compile(r"^<!-- (\S+) (\S+) -->\n(.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)


def parts(page: str) -> dict[str, tuple[str, str]]:
    """Return the generated parts by name: the digest of their inputs, and the text."""
    return {name: (digest, text) for name, digest, text in _PART.findall(page)}


def filled(page: str, new: Mapping[str, tuple[str, str]]) -> str:
    """Return the page with all of its parts replaced."""
    assert sorted(parts(page)) == sorted(new), sorted(set(parts(page)) ^ set(new))

    def part(old: re.Match[str]) -> str:
        digest, text = new[old[1]]
        return f"<!-- {old[1]} {digest} -->\n{text}<!-- end -->"

    return _PART.sub(part, page)
