"""Anthropic's Messages.

Shapes: https://docs.anthropic.com/en/api/messages and https://docs.anthropic.com/en/api/messages-streaming.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aibridge_trio.mock.provider_errors import anthropic_error
from aibridge_trio.mock.turn import Dialect, Event, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.mock.turn import Json, Turn


def _whole(turn: Turn) -> Json:
    content: Json = {"type": "text", "text": turn.text}
    if turn.call:
        content = {**_tool_use(turn, turn.call.tool), "input": json.loads(turn.call.arguments)}
    return _message(turn, [content], _stop(turn), turn.output_tokens)


def _events(turn: Turn) -> Iterator[Event]:
    yield Event(sse({"type": "message_start", "message": _message(turn, [], None, 1)}))
    block = _tool_use(turn, turn.call.tool) if turn.call else {"type": "text", "text": ""}
    yield Event(sse({"type": "content_block_start", "index": 0, "content_block": block}))
    yield Event(sse({"type": "ping"}))
    for delta in _deltas(turn):
        yield Event(sse({"type": "content_block_delta", "index": 0, "delta": delta}), words=1)
    yield Event(sse({"type": "content_block_stop", "index": 0}))
    delta = {"stop_reason": _stop(turn), "stop_sequence": None}
    yield Event(sse({"type": "message_delta", "delta": delta, "usage": _usage(turn, turn.output_tokens)}))
    yield Event(sse({"type": "message_stop"}))


def _deltas(turn: Turn) -> Iterator[Json]:
    if turn.call:
        for part in turn.call.fragments():
            yield {"type": "input_json_delta", "partial_json": part}
    else:
        for word in turn.words:
            yield {"type": "text_delta", "text": word}


def _broken(turn: Turn, code: str, _after: int, _kind: str | None) -> bytes:
    return sse(anthropic_error(code, turn.id("req_")))


def _message(turn: Turn, content: list[Json], stop: str | None, written: int) -> Json:
    return {
        "id": turn.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            **_usage(turn, written),
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        },
    }


def _usage(turn: Turn, written: int) -> Json:
    return {
        "input_tokens": turn.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": written,
    }


def _tool_use(turn: Turn, tool: str) -> Json:
    return {"type": "tool_use", "id": turn.id("toolu_"), "name": tool, "input": {}}


def _stop(turn: Turn) -> str:
    return "tool_use" if turn.call else "end_turn"


def _tools(request: Json) -> dict[str, Json]:
    own = [tool for tool in request.get("tools") or () if "input_schema" in tool]  # the rest run at the provider
    return {tool["name"]: tool["input_schema"] for tool in own}


def _choose(request: Json) -> str | None:
    match request.get("tool_choice"):
        case {"type": "any"}:
            return ""
        case {"type": "tool", "name": str(name)}:
            return name
    return None


MESSAGES = Dialect(
    needs=("model", "messages"), whole=_whole, events=_events, broken=_broken, tools=_tools, choose=_choose
)
