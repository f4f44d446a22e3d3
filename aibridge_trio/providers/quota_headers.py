"""The names of providers' quota headers, and how to parse the reset times in them.

In a file of its own, because commands that do not serve requests need none of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from aibridge_trio.core.breaker.retry_after import QuotaHeaders, duration, timestamp

# https://platform.openai.com/docs/guides/rate-limits: `x-ratelimit-reset-tokens: 6m0s`
_OPENAI = QuotaHeaders(
    re.compile(rb"x-ratelimit-remaining-([a-z-]{1,40})"), b"x-ratelimit-limit-*", b"x-ratelimit-reset-*", duration
)
# https://docs.anthropic.com/en/api/rate-limits: `anthropic-ratelimit-tokens-reset: 2026-11-26T09:00:00Z`
_ANTHROPIC = QuotaHeaders(
    re.compile(rb"anthropic-ratelimit-([a-z-]{1,40})-remaining"),
    b"anthropic-ratelimit-*-limit",
    b"anthropic-ratelimit-*-reset",
    timestamp,
)
# By the API that a provider speaks.
QUOTAS: Mapping[str, QuotaHeaders] = {"openai": _OPENAI, "anthropic": _ANTHROPIC, "copilot": _OPENAI}
