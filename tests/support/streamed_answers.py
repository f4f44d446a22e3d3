"""Answers of providers in every dialect, whole and as streams, with the tokens that they report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
import trio

from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


def stream(*events: tuple[str | None, Any]) -> bytes:
    """Write events as the providers do."""
    lines = []
    for name, document in events:
        data = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
        lines.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
    return "".join(lines).encode()


def named(*documents: dict[str, Any]) -> bytes:
    """Write events that are named by their type."""
    return stream(*((document["type"], document) for document in documents))


def chunk(delta: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Write one chunk of a chat completion; without a delta the last one, with the usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more}


CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 7,
    "total_tokens": 107,
    "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
CHAT = stream(
    (None, chunk({"role": "assistant", "content": ""}, usage=None)),
    (None, chunk({"content": "Grüße, 世界 🌍"}, usage=None)),
    (None, chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":"\\n\\n'}}]}, usage=None)),
    (None, chunk(None, usage=CHAT_USAGE)),
    (None, "[DONE]"),
)
RESPONSES_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 70,
}
RESPONSES = named(
    {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "usage": None}},
    {"type": "response.in_progress", "sequence_number": 1, "response": {"id": "resp_1", "usage": None}},
    {"type": "response.output_text.delta", "sequence_number": 2, "item_id": "msg_1", "delta": "Hi\r\n"},
    {
        "type": "response.completed",
        "sequence_number": 3,
        "response": {"id": "resp_1", "status": "completed", "error": None, "usage": RESPONSES_USAGE},
    },
)
MESSAGES = named(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "content": [],
            "usage": {
                "input_tokens": 25,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 5,
                "output_tokens": 1,
            },
        },
    },
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
)
# path, host, what a provider streams, what it used
DIALECTS = {
    "chat": ("/openai/v1/chat/completions", "openai", CHAT, Usage(60, 7, 40, 0)),
    "copilot": ("/copilot/chat/completions", "copilot", CHAT, Usage(60, 7, 40, 0)),
    "responses": ("/openai/v1/responses", "openai", RESPONSES, Usage(42, 20, 8, 0)),
    "messages": ("/anthropic/v1/messages", "anthropic", MESSAGES, Usage(25, 15, 5, 10)),
}
UNARY = {
    "chat": {"id": "chatcmpl-1", "choices": [{"message": {"content": "Hi"}}], "usage": CHAT_USAGE},
    "copilot": {"id": "chatcmpl-1", "choices": [{"message": {"content": "Hi"}}], "usage": CHAT_USAGE},
    "responses": {"id": "resp_1", "status": "completed", "error": None, "usage": RESPONSES_USAGE},
    "messages": {
        "type": "message",
        "usage": {
            "input_tokens": 25,
            "output_tokens": 15,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 10,
        },
    },
}
dialects = pytest.mark.parametrize("dialect", list(DIALECTS))


def saying(
    pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]], status: int = 200, pause: float = 0
) -> Handler:
    """Answer with these pieces, each a packet of its own, and that pause after each."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(status, headers)
        for piece in pieces:
            await reply.send(piece)
            await trio.sleep(pause)
        await reply.end()

    return handler
