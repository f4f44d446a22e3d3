from __future__ import annotations

from aibridge_trio.core.breaker.retry_after import from_headers
from aibridge_trio.providers.quota_headers import QUOTAS

WALL = 1_795_683_600.0  # 2026-11-26T09:00:00Z


def said(*pairs: tuple[str, str], provider: str = "openai") -> float | None:
    return from_headers([(name.encode(), value.encode()) for name, value in pairs], QUOTAS[provider], WALL)


def test_only_exhausted_quotas_count() -> None:
    """The longest reset time of the exhausted quotas counts; a quota with a rest does not."""
    tokens = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "20s")]
    requests = [("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "1h")]
    assert said(*tokens, *requests) == 20.0
    assert said(*requests) is None
    assert said(*tokens[:1]) is None
    assert said(*tokens, ("retry-after", "3")) == 20.0
    assert said(*tokens, provider="copilot") == 20.0


def test_anthropic_s_quotas() -> None:
    """Anthropic's headers have other names, and their reset times are timestamps."""
    name = "anthropic-ratelimit-input-tokens"
    pairs = [(f"{name}-remaining", "0"), (f"{name}-reset", "2026-11-26T09:00:30Z")]
    assert said(*pairs, provider="anthropic") == 30.0
    assert said(*pairs, provider="openai") is None
