"""What a provider tells of its quotas in headers, as OpenAI does."""

from __future__ import annotations

import math

from aibridge_trio.core.quota import Quota
from aibridge_trio.simulate.scenario.scenario import Model
from aibridge_trio.simulate.world.clients import Headers


def of(model: Model, quota: Quota, now: float) -> Headers:
    """Return limit, rest and time of the reset for each quota that there is."""
    found: list[tuple[bytes, bytes]] = []
    kinds = (
        (b"requests", model.requests_per_minute, quota.requests),
        (b"tokens", model.tokens_per_minute, quota.tokens),
    )
    for kind, limit, bucket in kinds:
        if bucket:
            found.append((b"x-ratelimit-limit-" + kind, b"%d" % limit))
            found.append((b"x-ratelimit-remaining-" + kind, b"%d" % bucket.level(now)))
            found.append((b"x-ratelimit-reset-" + kind, b"%dms" % math.ceil(bucket.until_full(now) * 1000)))
    return found
