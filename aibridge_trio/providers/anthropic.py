"""Anthropic: https://docs.anthropic.com/en/api."""

from __future__ import annotations

from aibridge_trio.providers import dialects
from aibridge_trio.providers.provider import Provider
from aibridge_trio.providers.route import intercepted, posted, readable, stored

ANTHROPIC = Provider(
    name="anthropic",
    api="anthropic",
    prefix="/anthropic",
    routes=(
        *intercepted("/v1/messages"),
        *posted("/v1/messages/count_tokens", refers=True),
        *posted("/api/event_logging/*", model="none"),
        *readable("/v1/models", "/v1/models/*", slashes=True),
        *stored("/v1/messages/batches", "/v1/files", "/v1/skills"),
    ),
    probes=frozenset({"/api/hello"}),
    model_list="/v1/models",
    # https://docs.anthropic.com/en/api/versioning
    required=((b"anthropic-version", b"2023-06-01"),),
    dialect=dialects.anthropic,
    credential=lambda key: (b"x-api-key", key.encode()),
)
