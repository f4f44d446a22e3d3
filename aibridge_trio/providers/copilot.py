"""GitHub Copilot: OpenAI's dialect, and always the caller's own key."""

from __future__ import annotations

from aibridge_trio.providers import Provider, any_method, dialects, intercepted, posted

COPILOT = Provider(
    name="copilot",
    prefix="/copilot",
    routes=(
        *intercepted("/chat/completions", "/responses", "/v1/messages"),
        *posted("/embeddings"),
        *any_method("/models", "/models/*", slashes=True),
        *any_method("/agents/*", "/mcp/*", "/.well-known/*"),
    ),
    dialect=dialects.openai,
    credential=None,
    spoken={"/v1/messages": dialects.anthropic},
)
