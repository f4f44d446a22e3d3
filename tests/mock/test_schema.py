"""Values that fit a JSON schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.mock.schema import minimal
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT, FORMATS, POINT

_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 3},
        {"type": "integer"},
        {"type": "integer", "minimum": 5},
        {"type": ["boolean", "null"]},
        {"type": "number"},
        {"type": "null"},
        {"enum": ["a", "b"]},
        {"const": 7},
    ]
)


_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda each: {"type": "array", "items": each, "minItems": 1}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        inner.map(lambda each: {"oneOf": [each]}),
        st.dictionaries(st.sampled_from("abc"), inner).map(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)}
        ),
    ),
    max_leaves=5,
)


@given(_SCHEMAS)
@example({"anyOf": [{"type": ["boolean", "null"]}]})
def test_a_tools_arguments_fit_its_schema(schema: dict[str, Any]) -> None:
    """What the mock makes up for a schema, the schema accepts."""
    Draft202012Validator(schema).validate(minimal(schema, depth=50))


def said(path: str, document: Any) -> str:
    """Return the text of an answer."""
    match path:
        case "/v1/responses":
            return str(document["output"][0]["content"][0]["text"])
        case "/v1/messages":
            return str(document["content"][0]["text"])
    return str(document["choices"][0]["message"]["content"])


def streamed(body: bytes) -> str:
    """Return the text of a stream."""
    text = ""
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            delta = (event.get("choices") or [{}])[0].get("delta", event.get("delta", ""))
            text += delta if isinstance(delta, str) else delta.get("content") or delta.get("text") or ""
    return text


@pytest.mark.parametrize(("path", "wanted"), FORMATS)
async def test_structured_output_fits_its_schema(path: str, wanted: dict[str, Any]) -> None:
    """In every dialect, unary and streamed alike, and counted."""
    answer = json.loads((await call(Mock(MockOptions()), path, ASK | wanted)).body)
    text = said(path, answer)
    Draft202012Validator(POINT).validate(json.loads(text))
    assert json.loads(text)["x"] == 3
    stream = await call(Mock(MockOptions()), path, ASK | wanted | {"stream": True})
    assert streamed(stream.body) == text
    usage = answer["usage"]
    assert usage.get("output_tokens", usage.get("completion_tokens")) == -(-len(text) // 4)


async def test_any_json_is_an_object() -> None:
    """With `json_object`, and where a schema is missing or is none."""
    for wanted in (
        {"type": "json_object"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}},
        {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nowhere"}}},
    ):
        answer = await call(Mock(MockOptions()), CHAT, ASK | {"response_format": wanted})
        assert json.loads(said(CHAT, json.loads(answer.body))) == {}
    plain = await call(Mock(MockOptions()), CHAT, ASK | {"response_format": {"type": "text"}})
    assert said(CHAT, json.loads(plain.body)).startswith("This is a mock")


def test_a_schema_that_demands_much_gets_little() -> None:
    """Neither a recursion without an end nor arrays of arrays make the mock work long or say much."""
    endless: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert len(json.dumps(minimal(endless))) < 1000
    wide: dict[str, Any] = {"type": "string"}
    for _ in range(8):
        wide = {"type": "array", "items": wide, "minItems": 64}
    assert len(json.dumps(minimal(wide))) < 20_000
