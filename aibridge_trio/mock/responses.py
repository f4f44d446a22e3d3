"""OpenAI's Responses, which Codex and Copilot speak too.

Shapes: https://platform.openai.com/docs/api-reference/responses (`object`) and `responses-streaming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aibridge_trio.mock.provider_errors import openai_error
from aibridge_trio.mock.turn import Dialect, Event, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.mock.turn import Call, Json, Turn


def _whole(turn: Turn) -> Json:
    return _response(turn, "completed")


def _events(turn: Turn) -> Iterator[Event]:
    numbered = ((kind, fields, n) for n, (kind, fields) in enumerate(_numbered_events(turn)))
    for kind, fields, n in numbered:
        event = sse({"type": kind, "sequence_number": n, **fields})
        yield Event(event, words=1 if kind.endswith(".delta") else 0)


def _numbered_events(turn: Turn) -> Iterator[tuple[str, Json]]:
    yield "response.created", {"response": _response(turn, "in_progress")}
    yield "response.in_progress", {"response": _response(turn, "in_progress")}
    yield from _call_events(turn, turn.call) if turn.call else _text_events(turn)
    yield "response.completed", {"response": _response(turn, "completed")}


def _text_events(turn: Turn) -> Iterator[tuple[str, Json]]:
    place = {"output_index": 0}
    inside = {"item_id": turn.id("msg_"), **place, "content_index": 0}
    yield "response.output_item.added", {**place, "item": _message(turn, "in_progress", [])}
    yield "response.content_part.added", {**inside, "part": _part("")}
    for word in turn.words:
        yield "response.output_text.delta", {**inside, "delta": word, "logprobs": []}
    yield "response.output_text.done", {**inside, "text": turn.text, "logprobs": []}
    yield "response.content_part.done", {**inside, "part": _part(turn.text)}
    yield "response.output_item.done", {**place, "item": _item(turn)}


def _call_events(turn: Turn, call: Call) -> Iterator[tuple[str, Json]]:
    place = {"output_index": 0}
    inside = {"item_id": turn.id("fc_"), **place}
    yield "response.output_item.added", {**place, "item": _call(turn, call, "in_progress", "")}
    for part in call.fragments():
        yield "response.function_call_arguments.delta", {**inside, "delta": part}
    finished = {**inside, "name": call.tool, "arguments": call.arguments}
    yield "response.function_call_arguments.done", finished
    yield "response.output_item.done", {**place, "item": _item(turn)}


def _broken(turn: Turn, code: str, after: int, kind: str | None) -> bytes:
    """Write the error event as documented, as a `nested` one (seen in real streams), or as a failed response.

    The nested one: https://github.com/openai/openai-dotnet/issues/881. openai-python raises for it only.
    """
    error = openai_error(code)["error"]
    number = {"sequence_number": after}
    if kind == "response.failed":
        why = {"code": error["code"], "message": error["message"]}
        return sse({"type": kind, **number, "response": {**_response(turn, "failed"), "error": why}})
    if kind == "nested":
        return sse({"type": "error", **number, "error": error})
    flat = {"code": error["code"], "message": error["message"], "param": None}
    return sse({"type": "error", **number, **flat})


def _response(turn: Turn, status: str) -> Json:
    done = status == "completed"
    asked = turn.request
    return {
        "id": turn.id("resp_"),
        "object": "response",
        "created_at": turn.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "model": turn.model,
        "output": [_item(turn)] if done else [],
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": {"format": _format(asked)},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools", []),
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(turn) if done else None,
        "user": None,
        "metadata": asked.get("metadata") or {},
    }


def _format(asked: Json) -> Json:
    text = asked.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    return wanted if isinstance(wanted, dict) else {"type": "text"}


def _usage(turn: Turn) -> Json:
    return {
        "input_tokens": turn.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": turn.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.input_tokens + turn.output_tokens,
    }


def _item(turn: Turn) -> Json:
    if turn.call:
        return _call(turn, turn.call, "completed", turn.call.arguments)
    return _message(turn, "completed", [_part(turn.text)])


def _message(turn: Turn, status: str, content: list[Any]) -> Json:
    return {
        "id": turn.id("msg_"),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _call(turn: Turn, call: Call, status: str, arguments: str) -> Json:
    return {
        "id": turn.id("fc_"),
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": turn.id("call_"),
        "name": call.tool,
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _tools(request: Json) -> dict[str, Json]:
    functions = [tool for tool in request.get("tools") or () if tool["type"] == "function"]
    return {function["name"]: function.get("parameters") or {} for function in functions}


def _choose(request: Json) -> str | None:
    match request.get("tool_choice"):
        case "required":
            return ""
        case {"type": "function", "name": str(name)}:
            return name
    return None


RESPONSES = Dialect(
    needs=("model", "input"), whole=_whole, events=_events, broken=_broken, tools=_tools, choose=_choose
)
