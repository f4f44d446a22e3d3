"""GitHub Copilot: OpenAI's dialect, and always the caller's own key."""

from __future__ import annotations

from aibridge_trio.providers import dialects
from aibridge_trio.providers.provider import Provider
from aibridge_trio.providers.route import any_method, intercepted, posted

COPILOT = Provider(
    name="copilot",
    api="copilot",
    prefix="/copilot",
    routes=(
        *intercepted("/chat/completions", "/responses", "/v1/messages"),
        *posted("/embeddings"),
        *any_method("/models", "/models/*", slashes=True, model="none"),
        *any_method("/agents/*"),
        *any_method("/mcp/*", "/.well-known/*", model="none"),
    ),
    dialect=dialects.openai,
    credential=None,
    path_dialects={"/v1/messages": dialects.anthropic},
)
