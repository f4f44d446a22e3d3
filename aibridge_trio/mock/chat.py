"""OpenAI's Chat Completions, which Copilot speaks too.

Shapes: https://platform.openai.com/docs/api-reference/chat (`object`, `streaming`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.mock.provider_errors import openai_error
from aibridge_trio.mock.turn import Dialect, Event, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.mock.turn import Call, Json, Turn


def _whole(turn: Turn) -> Json:
    message: Json = {"role": "assistant", "content": turn.text, "refusal": None, "annotations": []}
    if turn.call:
        message |= {"content": None, "tool_calls": [_call(turn, turn.call, turn.call.arguments)]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(turn)}
    return {**_envelope(turn, "chat.completion"), "choices": [choice], "usage": _usage(turn)}


def _events(turn: Turn) -> Iterator[Event]:
    envelope = _envelope(turn, "chat.completion.chunk")
    counted = bool((turn.request.get("stream_options") or {}).get("include_usage"))
    if counted:
        envelope["usage"] = None

    def chunk(delta: Json, finish: str | None = None, *, words: int = 0) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(sse({**envelope, "choices": [choice]}, named=False), words)

    opening: Json = {"role": "assistant", "content": "", "refusal": None}
    if turn.call:
        yield chunk(opening | {"content": None, "tool_calls": [{"index": 0, **_call(turn, turn.call, "")}]})
        for part in turn.call.fragments():
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}, words=1)
    else:
        yield chunk(opening)
        for word in turn.words:
            yield chunk({"content": word}, words=1)
    yield chunk({}, _finish(turn))
    if counted:
        yield Event(sse({**envelope, "choices": [], "usage": _usage(turn)}, named=False))
    yield Event(b"data: [DONE]\n\n")


def _broken(_turn: Turn, code: str, _after: int, _kind: str | None) -> bytes:
    return sse(openai_error(code), named=False)


def _envelope(turn: Turn, kind: str) -> Json:
    return {
        "id": turn.id("chatcmpl-"),
        "object": kind,
        "created": turn.created,
        "model": turn.model,
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
    }


def _usage(turn: Turn) -> Json:
    return {
        "prompt_tokens": turn.input_tokens,
        "completion_tokens": turn.output_tokens,
        "total_tokens": turn.input_tokens + turn.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _call(turn: Turn, call: Call, arguments: str) -> Json:
    return {
        "id": turn.id("call_"),
        "type": "function",
        "function": {"name": call.tool, "arguments": arguments},
    }


def _finish(turn: Turn) -> str:
    return "tool_calls" if turn.call else "stop"


def _tools(request: Json) -> dict[str, Json]:
    functions = [tool["function"] for tool in request.get("tools") or () if tool["type"] == "function"]
    return {function["name"]: function.get("parameters", {}) for function in functions}


def _choose(request: Json) -> str | None:
    match request.get("tool_choice"):
        case "required":
            return ""
        case {"type": "function", "function": {"name": str(name)}}:
            return name
    return None


CHAT = Dialect(
    needs=("model", "messages"), whole=_whole, events=_events, broken=_broken, tools=_tools, choose=_choose
)
