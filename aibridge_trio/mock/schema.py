"""Small values that a JSON schema accepts: tools' arguments and structured output. A best effort, not a solver."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

# How deep a schema is followed, because it may be recursive.
_DEPTH = 32
# The most values for one schema: a caller's schema can demand any number.
_MOST = 2_000
# The longest string or array.
_LONGEST = 64
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "mock@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def minimal(schema: Any, depth: int = _DEPTH) -> Any:
    """Return a small value that a JSON schema accepts; the same one every time.

    References into the schema itself are followed. Where a schema is deeper than `depth`, or demands too many
    values, the rest is null.
    """
    return _Making(schema).value(schema, depth)


class _Making:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MOST
        self._kinds: dict[str, Callable[[Json, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": _string,
            "integer": _integer,
            "number": _number,
            "boolean": lambda _schema, _: False,
            "null": lambda _schema, _: None,
        }

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth <= 0 or self._left <= 0:
            return None
        if "const" in schema:
            return schema["const"]
        if listed := schema.get("enum") or schema.get("examples"):
            return listed[0]
        if other := self._other(schema):
            return self.value(other, depth - 1)
        return self._kinds[_kind(schema)](schema, depth - 1)

    def _other(self, schema: Json) -> Any:
        """Return the schema that this one refers or narrows to, if any."""
        if "$ref" in schema:
            return self._found(schema["$ref"])
        if parts := schema.get("allOf"):
            return self._merged([{**schema, "allOf": None}, *parts])
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return next((each for each in branches if _is_plain(each)), branches[0])
        return None

    def _object(self, schema: Json, depth: int) -> Json:
        parts = schema.get("properties", {})
        return {name: self.value(parts.get(name), depth) for name in schema.get("required", ())}

    def _array(self, schema: Json, depth: int) -> list[Any]:
        each = schema.get("items")
        first = schema.get("prefixItems") or []
        count = min(max(schema.get("minItems", 0), len(first)), _LONGEST)
        return [self.value(first[n] if n < len(first) else each, depth) for n in range(count) if self._left > 0]

    def _found(self, reference: str) -> Any:
        """Return what a JSON pointer (RFC 6901) into this schema refers to."""
        place = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            place = place[int(name)] if isinstance(place, list) else place[name]
        return place

    def _merged(self, parts: list[Any]) -> Json:
        """Return one schema with the constraints of all, as far as objects go."""
        merged: Json = {}
        for part in parts:
            said = self._found(part["$ref"]) if "$ref" in part else part
            properties = {**merged.get("properties", {}), **said.get("properties", {})}
            required = list(dict.fromkeys([*merged.get("required", ()), *said.get("required", ())]))
            merged |= said
            merged |= {"properties": properties, "required": required}
        return merged


def _is_plain(schema: Any) -> bool:
    """Return whether a branch ends a recursion."""
    return isinstance(schema, dict) and "type" in schema and _kind(schema) not in {"object", "array"}


def _kind(schema: Json) -> str:
    """Return the type that a value of this schema gets: the first where several are allowed."""
    kind = schema.get("type", "object")
    return str(kind[0] if isinstance(kind, list) and kind else kind)


def _string(schema: Json, _: int) -> str:
    return _FORMATS.get(schema.get("format", "")) or "x" * min(int(schema.get("minLength", 1)), _LONGEST)


def _integer(schema: Json, _: int) -> Any:
    lowest = schema.get("minimum", -math.inf)
    if (above := schema.get("exclusiveMinimum", -math.inf)) >= lowest:
        lowest = math.floor(above) + 1 if above > -math.inf else lowest
    highest = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - 1)
    step = schema.get("multipleOf", 1)
    number = max(lowest, min(0, highest))
    return math.ceil(number / step) * step


def _number(schema: Json, depth: int) -> Any:
    if "exclusiveMinimum" in schema and "exclusiveMaximum" in schema and "multipleOf" not in schema:
        return (schema["exclusiveMinimum"] + schema["exclusiveMaximum"]) / 2
    whole = _integer(schema | {"multipleOf": schema.get("multipleOf", 1)}, depth)
    return whole if whole <= schema.get("maximum", math.inf) else schema.get("minimum", whole)


def requested_schema(request: Json) -> Any | None:
    """Return the schema that a request demands for structured output, None without one.

    Chat's `response_format`, Responses' `text.format`, Anthropic's `output_config.format`, formerly
    `output_format`:
    https://platform.openai.com/docs/guides/structured-outputs,
    https://docs.claude.com/en/docs/build-with-claude/structured-outputs.
    """
    for wanted in (
        request.get("response_format"),
        _inside(request.get("text")),
        _inside(request.get("output_config")),
        request.get("output_format"),
    ):
        match wanted:
            case {"type": "json_object"}:
                return {"type": "object"}
            case {"type": "json_schema", "json_schema": {"schema": dict(schema)}} | {
                "type": "json_schema",
                "schema": dict(schema),
            }:
                return schema
            case {"type": "json_schema"}:
                return {"type": "object"}
    return None


def _inside(holder: Any) -> Any:
    return holder.get("format") if isinstance(holder, dict) else None
