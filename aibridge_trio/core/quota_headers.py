"""The headers in which OpenAI tells what is left of a quota.

https://platform.openai.com/docs/guides/rate-limits. The simulator's provider and the mock provider send them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aibridge_trio.core.quota import Quota

_MINUTE, _HOUR = 60_000, 3_600_000


def openai_headers(quota: Quota, now: float) -> list[tuple[bytes, bytes]]:
    """Return `x-ratelimit-*`; resets are durations: `12ms`, `6m0s`."""
    return [
        (f"x-ratelimit-{what}-{left.name}".encode(), value.encode())
        for left in quota.left(now)
        for what, value in (
            ("limit", str(left.limit)),
            ("remaining", str(left.remaining)),
            ("reset", duration(left.reset)),
        )
    ]


def duration(seconds: float) -> str:
    """Return a duration as Go writes it, rounded up to milliseconds: `12ms`, `8.64s`, `6m0s`, `1h0m0s`."""
    left = math.ceil(round(seconds * 1000, 6))
    if 0 < left < 1000:  # noqa: PLR2004 - a second
        return f"{left}ms"
    hours, left = divmod(left, _HOUR)
    minutes, left = divmod(left, _MINUTE)
    parts = [f"{hours}h"] if hours else []
    if hours or minutes:
        parts.append(f"{minutes}m")
    return "".join([*parts, f"{left / 1000:g}s"])
