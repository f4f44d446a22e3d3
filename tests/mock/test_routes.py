"""Method and path → what the mock does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT


@pytest.mark.parametrize("version", ["", "/v1"])
@pytest.mark.parametrize(
    "path",
    [
        *("/chat/completions", "/responses", "/messages", "/messages/count_tokens", "/embeddings"),
        "/deployments/d/chat/completions",
    ],
)
async def test_routes_answer_with_and_without_the_version(version: str, path: str) -> None:
    """Base URLs with and without /v1 reach the same routes, without any credential."""
    answer = await call(Mock(MockOptions()), version + path, ASK)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["request-id" if "messages" in path else "x-request-id"] == "req_mock000001"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_answers_probes(method: str) -> None:
    """GET and HEAD of / are 200 and not counted."""
    mock = Mock(MockOptions(fail=((500, 1.0),)))
    assert (await call(mock, "/", method=method)).status == 200
    assert mock.statistics().requests == 0


@pytest.mark.parametrize(
    "path",
    [
        "/agents/x/y",
        "/mcp/readonly",
        "/.well-known/oauth",
        "/v1/conversations",
        "/v1/conversations/conv_1/items",
        "/v1/responses/resp_1",
        "/responses/resp_1/cancel",
        "/api/event_logging/batch",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_paths_that_are_passed_through_are_echoed(path: str, method: str) -> None:
    """What a provider does there doesn't matter: the mock says what it was asked, any method."""
    answer = await call(Mock(MockOptions()), f"{path}?q=1", b"anything", method=method)
    assert answer.status == 200
    assert json.loads(answer.body) == {"method": method, "path": path}


@pytest.mark.parametrize(
    ("method", "path", "headers", "anthropic"),
    [
        ("GET", "/v1/files", {}, False),
        ("GET", CHAT, {}, False),
        ("POST", "/v1/models", {}, False),
        ("POST", "/v1/responses/", {}, False),
        ("GET", "/v1/messages", {}, True),
        ("POST", "/v1/messages/batches", {}, True),
        ("GET", "/v1/files", {"anthropic-version": "2023-06-01"}, True),
    ],
)
async def test_anything_else_is_not_found_in_the_dialect(
    method: str, path: str, headers: dict[str, str], anthropic: bool
) -> None:
    """An unknown route is 404 in the shape of the provider that was meant."""
    answer = await call(Mock(MockOptions()), path, ASK, method=method, headers=headers)
    body = json.loads(answer.body)
    assert answer.status == 404
    assert (body.get("type") == "error") is anthropic
    assert body["error"]["type"] == ("not_found_error" if anthropic else "invalid_request_error")
