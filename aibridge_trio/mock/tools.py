"""Which tool the mock calls, and with which arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aibridge_trio.mock.schema import minimal, requested_schema
from aibridge_trio.mock.turn import Call

if TYPE_CHECKING:
    from aibridge_trio.mock.turn import Dialect, Json

# These words in the last user message of a request with tools make the mock call one.
_TRIGGER = "use a tool"


def requested_call(dialect: Dialect, request: Json) -> Call | None:
    """Return the call that the request asks for: its tool choice forces one, or its last user message says so."""
    try:
        tools = {name: json.dumps(minimal(schema) or {}) for name, schema in dialect.tools(request).items()}
        forced = dialect.choose(request)
    except (
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
    ):  # another shape: no tool
        return None
    if forced is None and _TRIGGER not in json.dumps(_last_user_message(request)).lower():
        return None
    name = forced or next(iter(tools), None)
    return Call(name, tools[name]) if name in tools else None


def structured(request: Json) -> str | None:
    """Return the JSON text of a request's structured output, None if it asks for plain text."""
    schema = requested_schema(request)
    if schema is None:
        return None
    try:
        return json.dumps(minimal(schema))
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError):  # no schema, then
        return "{}"


def _last_user_message(request: Json) -> Any:
    """Return the last user message, if only instructions follow it.

    A message of the model or a tool after it means that the tool has been called already.
    """
    spoken = request.get("messages", request.get("input"))
    if not isinstance(spoken, list):
        return spoken
    for each in reversed(spoken):
        role = each.get("role") if isinstance(each, dict) else None
        if role == "user":
            content = each.get("content")
            parts = content if isinstance(content, list) else [content]
            return [part for part in parts if not (isinstance(part, dict) and part.get("type") == "tool_result")]
        if role not in {"system", "developer"}:
            return None
    return None
