"""About how much of a body is embedded data, like an image in base64: far fewer tokens than text of its size."""

from __future__ import annotations

import re

# Looks at so many bytes in each so many: no text has as many in a row without a space or a sign.
_SAMPLE, _STEP = 64, 1024
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{%d}" % _SAMPLE)


def embedded(piece: bytes) -> int:
    """Return how many bytes of a piece are embedded data, to about a kibibyte at each end of it."""
    size, found = len(piece), 0
    for at in range(0, size - _SAMPLE + 1, _STEP):
        if _BASE64.match(piece, at):
            found += _STEP
    return min(found, size) if found else 0
