"""Routes, refusals, pace and chance: the mock in memory and in virtual time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from backports import zstd

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [], "input": "hi"}


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_overload_says_when_to_come_back(status: int) -> None:
    """The overload statuses carry Retry-After and the provider's own type."""
    mock = Mock(MockOptions(fail=((status, 1.0),)))
    chat, messages = await call(mock, CHAT, ASK), await call(mock, "/v1/messages", ASK)
    for answer in (chat, messages):
        assert (answer.status, answer.headers["retry-after"]) == (status, "1")
    limited = status == 429
    code = "rate_limit_exceeded" if limited else "server_is_overloaded"
    assert json.loads(chat.body)["error"]["code"] == code
    kind = "rate_limit_error" if limited else "overloaded_error"
    assert json.loads(messages.body)["error"]["type"] == kind


async def test_scripted_requests_draw_no_failure() -> None:
    """A script is stronger than chance, and probability 1 fails everything else."""
    mock = Mock(MockOptions(fail=((500, 1.0),)))
    await call(mock, "/mock/script", {"answers": [{}]})
    assert [(await call(mock, CHAT, ASK)).status for _ in range(2)] == [200, 500]


def test_a_mock_tells_its_state() -> None:
    """The repr shows what is going on."""
    assert repr(Mock(MockOptions())) == "<Mock requests=0 in_flight=0>"


# Bodies in other codings

PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "Identity": bytes,
}


# Structured output

POINT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "x": {"type": "integer", "minimum": 3},
        "name": {"$ref": "#/$defs/name"},
        "when": {"type": "string", "format": "date-time"},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "sides": {"type": "array", "items": {"enum": ["left", "right"]}, "minItems": 2},
    },
    "required": ["x", "name", "when", "next", "sides"],
    "additionalProperties": False,
    "$defs": {"name": {"allOf": [{"type": "string", "minLength": 3}]}},
}
FORMATS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": POINT}}}),
    ("/v1/responses", {"text": {"format": {"type": "json_schema", "name": "p", "schema": POINT}}}),
    ("/v1/messages", {"output_config": {"format": {"type": "json_schema", "schema": POINT}}}),
    ("/v1/messages", {"output_format": {"type": "json_schema", "schema": POINT}}),
]


TOOL: dict[str, Any] = {"type": "function", "name": "ls", "parameters": {"type": "object"}}
