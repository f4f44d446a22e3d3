"""The response to malformed and odd requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (CHAT, b"{", "not a JSON object"),
        (CHAT, b"[]", "not a JSON object"),
        (CHAT, {"messages": []}, "Missing required parameter: 'model'."),
        (CHAT, {"model": "m"}, "'messages'"),
        (CHAT, {"model": 1, "messages": []}, "Invalid type for 'model'."),
        ("/v1/responses", {"model": "m"}, "'input'"),
        ("/v1/embeddings", {"model": "m"}, "'input'"),
        ("/v1/messages", {"messages": []}, "model: Field required"),
        ("/v1/messages/count_tokens", {"model": "m"}, "messages: Field required"),
        ("/v1/messages", b"\xff", "not a JSON object"),
    ],
)
async def test_a_malformed_request_is_400_in_the_dialect(path: str, body: Any, said: str) -> None:
    """The error names what is missing or malformed, as the provider does."""
    answer = await call(Mock(MockOptions()), path, body)
    error = json.loads(answer.body)
    assert answer.status == 400
    assert error["error"]["type"] == "invalid_request_error"
    assert said in error["error"]["message"]
    assert ("request_id" in error) is ("messages" in path.removeprefix("/v1"))


@pytest.mark.parametrize(
    "odd",
    [
        {"tools": "all"},
        {"tools": [None]},
        {"tools": [{"type": "function"}], "tool_choice": "required"},
        {"messages": [None], "input": [None]},
        {"stream_options": None},
        {"model": "\ud800"},
        {"input": [[1, 2], [3]]},
        {"dimensions": "many"},
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages", "/v1/embeddings"])
@pytest.mark.parametrize("stream", [True, False])
async def test_odd_requests_are_answered(odd: dict[str, Any], path: str, stream: bool) -> None:
    """A request that a provider would refuse for finer reasons is no reason to fail."""
    answer = await call(Mock(MockOptions()), path, ASK | {"stream": stream} | odd)
    assert (answer.status, answer.ended) == (200, True)
