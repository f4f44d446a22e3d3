"""Any status document that docs/status.schema.json allows, as a Hypothesis strategy."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import strategies as st

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "status.schema.json").read_text())

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Texts of any kind, and those that would do harm on a terminal.
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["\x1b[31m", "\x1b]0;owned\x07", "\x9b2J", "a\nb", "\u202e", "\x00", "x" * 999]
)

NUMBERS = (
    st.integers(-5, 5)
    | st.integers()
    | st.floats()
    | st.sampled_from([1 << 63, (1 << 63) + 1, 10**4000, 1e11, 1e12, 1e308, math.inf, -math.inf, math.nan])
)

JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, as far as ours uses the language of schemas."""
    if "$ref" in schema:
        return of_schema(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    least, most = schema.get("minimum", 0), schema.get("maximum", 1 << 33)
    made: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "null": st.none,
        "boolean": st.booleans,
        "integer": lambda: st.integers(least, 1 << 53),
        "number": lambda: st.floats(least, schema.get("maximum", 1e10)) | st.integers(least, most),
        "string": lambda: (
            st.from_regex(schema["pattern"], fullmatch=True)
            if "pattern" in schema
            else st.text(min_size=schema.get("minLength", 0), max_size=30)
        ),
        "array": lambda: st.lists(of_schema(schema["items"]), max_size=min(3, schema.get("maxItems", 3))),
        "object": lambda: of_object(schema),
    }
    return st.one_of([made[kind]() for kind in kinds])


def of_object(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Objects of a schema: what is required, and more where it says of what kind."""
    described = schema.get("properties", {})
    more: Any = schema.get("additionalProperties")
    always = {name: of_schema(described.get(name, more)) for name in schema.get("required", [])}
    if more is None:
        return st.fixed_dictionaries(always)
    # Bounds are dotted by some regexes and meant as numbers; statuses and reasons are as their patterns say.
    pattern = schema.get("propertyNames", {}).get("pattern", "^[a-z_]{1,12}$")
    names = (
        st.floats(0.001, 600).map("{:.3f}".format) if "Inf" in pattern else st.from_regex(pattern, fullmatch=True)
    )
    extra = st.dictionaries(names, of_schema(more), max_size=4)
    return st.builds(lambda some, all_: some | all_, extra, st.fixed_dictionaries(always))


DOCUMENTS = of_schema(SCHEMA)
