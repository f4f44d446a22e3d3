"""OpenAI: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from aibridge_trio.providers import Provider, any_method, dialects, intercepted, posted, readable

OPENAI = Provider(
    name="openai",
    prefix="/openai/v1",
    routes=(
        *intercepted("/chat/completions", "/responses"),
        *readable("/models", "/models/*"),
        *posted("/embeddings"),
        *any_method("/conversations", "/conversations/*", "/responses/*", own_key=True),
    ),
    dialect=dialects.openai,
    credential=lambda key: (b"authorization", b"Bearer " + key.encode()),
)
