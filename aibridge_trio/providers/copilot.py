"""GitHub Copilot: OpenAI's dialect, and always the caller's own key."""

from __future__ import annotations

from aibridge_trio.providers import Provider, any_method, dialects, intercepted

COPILOT = Provider(
    name="copilot",
    prefix="/copilot",
    routes=(
        *intercepted("/chat/completions", "/responses"),
        *any_method("/models", "/models/*", "/agents/*", "/mcp/*", "/.well-known/*"),
    ),
    dialect=dialects.openai,
    credential=None,
)
