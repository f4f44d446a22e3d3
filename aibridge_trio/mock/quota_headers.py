"""The headers in which Anthropic tells what is left of a quota; OpenAI's are core/quota_headers.

https://docs.anthropic.com/en/api/rate-limits
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aibridge_trio.core.quota import Quota
    from aibridge_trio.http.headers import Headers


def anthropic_headers(quota: Quota, now: float, wall: float) -> Headers:
    """Return `anthropic-ratelimit-*`; resets are RFC 3339 times. `wall` is the Unix time `now`."""
    return [
        (f"anthropic-ratelimit-{left.name}-{what}".encode(), value.encode())
        for left in quota.left(now)
        for what, value in (
            ("limit", str(left.limit)),
            ("remaining", str(left.remaining)),
            ("reset", timestamp(wall + left.reset)),
        )
    ]


def timestamp(wall: float) -> str:
    """Return a Unix time in RFC 3339, rounded up to seconds, as Anthropic writes it."""
    return datetime.fromtimestamp(math.ceil(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
