from __future__ import annotations

import pytest

from aibridge_trio.errors import NotFound
from aibridge_trio.providers import ANTHROPIC
from tests.support.allow_lists import METHODS, READ, check_allowed, match

# Methods, paths after the prefix, and whether they are intercepted.
ALLOWED: list[tuple[list[str], str, bool]] = [
    (["POST"], "/v1/messages", True),
    (["POST"], "/v1/messages/count_tokens", False),
    (METHODS, "/v1/messages/batches", False),
    (METHODS, "/v1/messages/batches/b_1/results", False),
    (METHODS, "/v1/files/file_1", False),
    (METHODS, "/v1/skills", False),
    (READ, "/v1/models", False),
    (READ, "/v1/models/claude-x", False),
    (["POST"], "/api/event_logging/batch", False),
    (["POST"], "/api/event_logging/v2/batch", False),
]
REQUESTS = [(method, path, intercepted) for methods, path, intercepted in ALLOWED for method in methods]
NOT_ALLOWED = [
    ("GET", "/anthropic/v1/messages"),
    ("GET", "/anthropic/v1/messages/count_tokens"),
    ("POST", "/anthropic/api/hello"),
    ("POST", "/anthropic/v1/messages/other"),
    ("GET", "/anthropic/v1/files/"),
    ("GET", "/anthropic/v1/organizations/api_keys"),
    ("POST", "/anthropic/v1/complete"),
    ("POST", "/anthropic/api/event_logging/"),
    ("GET", "/anthropic/api/event_logging/batch"),
    ("POST", "/anthropic/v1/models"),
]


@pytest.mark.parametrize(("method", "path", "intercepted"), REQUESTS)
def test_what_is_allowed(method: str, path: str, intercepted: bool) -> None:
    """Every row of the allow-list leads to this provider, with the path after the prefix as it came."""
    check_allowed("anthropic", "/anthropic", method, path, intercepted=intercepted)


@pytest.mark.parametrize(("method", "path"), NOT_ALLOWED)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    """What the allow-list does not name is not found, and the reject names method and path."""
    with pytest.raises(NotFound) as caught:
        match(method, path)
    assert str(caught.value).partition(";")[0] == f"route not supported: {method} {path}"


def test_how_a_central_key_is_sent() -> None:
    """A central key is sent as `x-api-key`."""
    assert ANTHROPIC.credential is not None
    assert ANTHROPIC.credential("k") == (b"x-api-key", b"k")
