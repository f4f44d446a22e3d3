from __future__ import annotations

import pytest

from aibridge_trio.providers import ANTHROPIC, COPILOT, OPENAI, Provider, dialects, instance
from aibridge_trio.providers.model_paths import dialect, row


@pytest.mark.parametrize(
    ("provider", "path", "tail"),
    [
        (OPENAI, "/v1/chat/completions", b"/chat/completions"),
        (OPENAI, "/v1/embeddings", b"/embeddings"),
        (OPENAI, "/v1/responses/input_tokens", b"/responses/input_tokens"),
        (instance("azure", "openai"), "/v1/responses", b"/responses"),
        (ANTHROPIC, "/v1/messages", b"/v1/messages"),
        (ANTHROPIC, "/v1/messages/count_tokens", b"/v1/messages/count_tokens"),
        (COPILOT, "/v1/chat/completions", b"/chat/completions"),
        (COPILOT, "/v1/messages", b"/v1/messages"),
        (OPENAI, "/v1/messages", None),
        (OPENAI, "/v1/files", None),
        (OPENAI, "/v1/responses/resp_1", None),
        (OPENAI, "/v1/chat/completions/c/messages", None),
        (ANTHROPIC, "/v1/chat/completions", None),
        (ANTHROPIC, "/v1/messages/batches", None),
        (ANTHROPIC, "/v1/api/event_logging/batch", None),
        (COPILOT, "/v1/agents/x", None),
        (COPILOT, "/v1/mcp/x", None),
    ],
)
def test_only_posts_with_a_model_in_a_json_body(provider: Provider, path: str, tail: bytes | None) -> None:
    """The path at the provider is that of its own allow-list."""
    found = row(provider, "POST", path)
    assert (found[1] if found else None) == tail
    assert row(provider, "GET", path) is None
    if found:
        assert found[0] in provider.routes


def test_rejects_have_the_dialect_of_the_path() -> None:
    """Of lists of models that of the SDK that asks."""
    assert dialect("/v1/messages", versioned=False) is dialects.anthropic
    assert dialect("/v1/chat/completions", versioned=True) is dialects.openai
    assert dialect("/v1/models", versioned=True) is dialects.anthropic
    assert dialect("/v1/models", versioned=False) is dialects.openai
