"""Anthropic: https://docs.anthropic.com/en/api."""

from __future__ import annotations

from aibridge_trio.providers import Provider, dialects, intercepted, posted, readable

ANTHROPIC = Provider(
    name="anthropic",
    prefix="/anthropic",
    routes=(
        *intercepted("/v1/messages"),
        *posted("/v1/messages/count_tokens", "/api/event_logging/*"),
        *readable("/v1/models", "/v1/models/*"),
    ),
    dialect=dialects.anthropic,
    credential=lambda key: (b"x-api-key", key.encode()),
)
