"""Which tool the mock calls, and with what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aibridge_trio.mock.turn import Call

if TYPE_CHECKING:
    from aibridge_trio.mock.turn import Dialect, Json

# Said in the last message of a request that has tools, it gets one called.
_MAGIC = "use a tool"
# How deep a schema is followed: it may be recursive.
_DEPTH = 8
# The longest string or array that is made up: a caller chooses what its schema demands.
_LONGEST = 64


def call_for(dialect: Dialect, request: Json) -> Call | None:
    """Return the call that the request asks for: its tool choice forces one, or its last message says so.

    The last message only: a tool's result must not ask for the tool again.
    """
    try:
        tools = {name: json.dumps(minimal(schema) or {}) for name, schema in dialect.tools(request).items()}
        forced = dialect.choose(request)
    except (AttributeError, KeyError, TypeError, ValueError):  # not the dialect's shape: no tool, then
        return None
    spoken = request.get("messages", request.get("input"))
    last = spoken[-1] if isinstance(spoken, list) and spoken else spoken
    if forced is None and _MAGIC not in json.dumps(last).lower():
        return None
    name = forced or next(iter(tools), None)
    return Call(name, tools[name]) if name in tools else None


def minimal(schema: Any, depth: int = _DEPTH) -> Any:
    """Return a small value that a JSON schema accepts; a best effort, not a solver."""
    if not isinstance(schema, dict) or depth == 0:
        return None
    if "const" in schema:
        return schema["const"]
    if listed := schema.get("enum") or schema.get("examples"):
        return listed[0]
    if branches := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return minimal(branches[0], depth - 1)
    kind = schema.get("type", "object")
    return _KINDS[kind[0] if isinstance(kind, list) else kind](schema, depth - 1)


def _object(schema: Json, depth: int) -> Json:
    parts = schema.get("properties", {})
    return {name: minimal(parts.get(name), depth) for name in schema.get("required", ())}


_KINDS: dict[str, Callable[[Json, int], Any]] = {
    "object": _object,
    "array": lambda schema, depth: (
        [minimal(schema.get("items"), depth)] * min(schema.get("minItems", 0), _LONGEST)
    ),
    "string": lambda schema, _: "x" * min(schema.get("minLength", 1), _LONGEST),
    "integer": lambda schema, _: schema.get("minimum", 0),
    "number": lambda schema, _: schema.get("minimum", 0),
    "boolean": lambda _schema, _: False,
    "null": lambda _schema, _: None,
}
