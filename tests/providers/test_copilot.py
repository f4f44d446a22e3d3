from __future__ import annotations

import pytest

from aibridge_trio.errors import NotFound
from aibridge_trio.providers import COPILOT
from tests.support.allow_lists import METHODS, check_allowed, match

# Methods, paths after the prefix, and whether they are intercepted.
ALLOWED: list[tuple[list[str], str, bool]] = [
    (["POST"], "/chat/completions", True),
    (["POST"], "/responses", True),
    (["POST"], "/v1/messages", True),
    (["POST"], "/embeddings", False),
    (METHODS, "/models", False),
    (METHODS, "/models/session", False),
    (METHODS, "/agents/swe/v1/jobs", False),
    (METHODS, "/mcp/readonly", False),
    (METHODS, "/.well-known/openid-configuration", False),
]
REQUESTS = [(method, path, intercepted) for methods, path, intercepted in ALLOWED for method in methods]
NOT_ALLOWED = [
    ("POST", "/copilot"),
    ("GET", "/copilot/chat/completions"),
    ("GET", "/copilot/embeddings"),
    ("POST", "/copilot/v1/messages/count_tokens"),
    ("GET", "/copilot/agents"),
    ("GET", "/copilot/agents/"),
    ("GET", "/copilot/mcp"),
]


@pytest.mark.parametrize(("method", "path", "intercepted"), REQUESTS)
def test_what_is_allowed(method: str, path: str, intercepted: bool) -> None:
    """Every row of the allow-list leads to this provider, with the path after the prefix as it came."""
    check_allowed("copilot", "/copilot", method, path, intercepted=intercepted)


@pytest.mark.parametrize(("method", "path"), NOT_ALLOWED)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    """What the allow-list does not name is not found, and the reject names method and path."""
    with pytest.raises(NotFound) as caught:
        match(method, path)
    assert str(caught.value).partition(";")[0] == f"route not supported: {method} {path}"


def test_how_a_central_key_is_sent() -> None:
    """Copilot takes no central key."""
    assert COPILOT.credential is None
