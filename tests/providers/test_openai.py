from __future__ import annotations

import pytest

from aibridge_trio.errors import NotFound
from aibridge_trio.providers import OPENAI
from tests.support.allow_lists import METHODS, READ, check_allowed, match

# Methods, paths after the prefix, and whether they are intercepted.
ALLOWED: list[tuple[list[str], str, bool]] = [
    (["POST"], "/chat/completions", True),
    (["POST"], "/responses", True),
    (["POST"], "/completions", True),
    (["POST"], "/responses/compact", True),
    (["POST"], "/deployments/my-gpt/chat/completions", True),
    (["POST"], "/deployments/my-gpt/embeddings", False),
    (["POST"], "/responses/input_tokens", False),
    (["POST"], "/moderations", False),
    (["POST"], "/images/generations", False),
    (["POST"], "/images/edits", False),
    (["POST"], "/audio/speech", False),
    (["POST"], "/audio/transcriptions", False),
    (READ, "/models", False),
    (READ, "/models/gpt-5", False),
    (READ, "/models/meta-llama%2FLlama-3", False),
    (READ, "/chat/completions", False),
    (METHODS, "/chat/completions/chatcmpl_1/messages", False),
    (METHODS, "/files", False),
    (METHODS, "/files/file_1/content", False),
    (METHODS, "/batches", False),
    (METHODS, "/batches/batch_1/cancel", False),
    (METHODS, "/uploads/upload_1/parts", False),
    (METHODS, "/vector_stores/vs_1/files", False),
    (READ, "/models/ft:gpt/x/y", False),
    (["POST"], "/embeddings", False),
    (METHODS, "/conversations", False),
    (METHODS, "/conversations/conv_1/items", False),
    (METHODS, "/responses/resp_1", False),
    (METHODS, "/responses/resp_1/cancel", False),
]
REQUESTS = [(method, path, intercepted) for methods, path, intercepted in ALLOWED for method in methods]
NOT_ALLOWED = [
    ("DELETE", "/openai/v1/chat/completions"),
    ("POST", "/openai/v1/chat/completions/"),
    ("POST", "/openai/v1/chat/completionsx"),
    ("POST", "/openai/v1/chat"),
    ("POST", "/openai/v1/deployments/my/gpt/chat/completions"),
    ("GET", "/openai/v1/deployments/my-gpt"),
    ("POST", "/openai/v1/deployments/my-gpt/images/generations"),
    ("GET", "/openai/v1/responses"),
    ("DELETE", "/openai/v1/responses"),
    ("POST", "/openai/v1/models"),
    ("DELETE", "/openai/v1/models/ft:gpt"),
    ("GET", "/openai/v1/models/"),
    ("GET", "/openai/v1/modelsx"),
    ("GET", "/openai/v1/filesx"),
    ("POST", "/openai/v1/files/"),
    ("GET", "/openai/v1/organization/admin_api_keys"),
    ("GET", "/openai/v1/completions"),
    ("GET", "/openai/v1/moderations"),
    ("GET", "/openai/v1/images"),
    ("POST", "/openai/v1/evals"),
    ("POST", "/openai/v1/fine_tuning/jobs"),
    ("POST", "/openai/v1/assistants"),
    ("GET", "/openai/v1/embeddings"),
    ("GET", "/openai/v1/conversations/"),
    ("POST", "/openai/v1/responses/"),
    ("POST", "/openai/v1"),
    ("GET", "/openai"),
    ("GET", "/openai/"),
    ("POST", "/openai/chat/completions"),
    ("POST", "/openai/v1x/chat/completions"),
    ("POST", "/OpenAI/v1/chat/completions"),
    ("post", "/openai/v1/chat/completions"),
]


@pytest.mark.parametrize(("method", "path", "intercepted"), REQUESTS)
def test_what_is_allowed(method: str, path: str, intercepted: bool) -> None:
    """Every row of the allow-list leads to this provider, with the path after the prefix as it came."""
    check_allowed("openai", "/openai/v1", method, path, intercepted=intercepted)


@pytest.mark.parametrize(("method", "path"), NOT_ALLOWED)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    """What the allow-list does not name is not found, and the reject names method and path."""
    with pytest.raises(NotFound) as caught:
        match(method, path)
    assert str(caught.value).partition(";")[0] == f"route not supported: {method} {path}"


def test_how_a_central_key_is_sent() -> None:
    """A central key is a bearer token."""
    assert OPENAI.credential is not None
    assert OPENAI.credential("k") == (b"authorization", b"Bearer k")
