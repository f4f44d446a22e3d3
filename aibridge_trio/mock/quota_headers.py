"""The headers in which providers tell what is left of a quota.

OpenAI: https://platform.openai.com/docs/guides/rate-limits (headers). Anthropic:
https://docs.anthropic.com/en/api/rate-limits (response headers).

`limit` is the quota of a minute, `remaining` what can be used now, which is at most the burst, and `reset` when
as much as possible can be used again.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.core.quota import Bucket, Quota
    from aibridge_trio.http.headers import Headers

_MINUTE, _HOUR = 60_000, 3_600_000


def openai_headers(quota: Quota, now: float) -> Headers:
    """Return `x-ratelimit-*`; resets are durations: `12ms`, `6m0s`."""
    return [
        (f"x-ratelimit-{what}-{name}".encode(), value.encode())
        for name, bucket in _buckets(quota)
        for what, value in (
            ("limit", _limit(bucket)),
            ("remaining", _remaining(bucket, now)),
            ("reset", duration(bucket.until_full(now))),
        )
    ]


def anthropic_headers(quota: Quota, now: float, wall: float) -> Headers:
    """Return `anthropic-ratelimit-*`; resets are RFC 3339 times. `wall` is the Unix time `now`."""
    return [
        (f"anthropic-ratelimit-{name}-{what}".encode(), value.encode())
        for name, bucket in _buckets(quota)
        for what, value in (
            ("limit", _limit(bucket)),
            ("remaining", _remaining(bucket, now)),
            ("reset", timestamp(wall + bucket.until_full(now))),
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


def timestamp(wall: float) -> str:
    """Return a Unix time in RFC 3339, rounded up to seconds, as Anthropic writes it."""
    return datetime.fromtimestamp(math.ceil(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _buckets(quota: Quota) -> Iterator[tuple[str, Bucket]]:
    for name, bucket in (("requests", quota.requests), ("tokens", quota.tokens)):
        if bucket:
            yield name, bucket


def _limit(bucket: Bucket) -> str:
    return str(round(bucket.rate * 60))


def _remaining(bucket: Bucket, now: float) -> str:
    return str(math.floor(bucket.level(now) + 1e-6))  # as exact as the bucket
