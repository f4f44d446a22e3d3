"""The model of a request, against json.loads()."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.model import ModelReader, Named


def read(body: bytes, *cuts: int) -> str | None:
    """Read a body that comes in pieces."""
    reader = ModelReader()
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        reader.feed(body[start:end])
    return reader.model


def expected(document: Any) -> str | None:
    """Return what a parser finds."""
    model = document.get("model") if isinstance(document, dict) else None
    return model if isinstance(model, str) and len(json.dumps(model)) <= 250 else None


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False), TEXT
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(TEXT, st.just("model")), inner, max_size=3)
    ),
    max_leaves=10,
)
DOCUMENT = st.one_of(
    VALUE,
    st.dictionaries(st.one_of(TEXT, st.just("model"), st.just("messages")), st.one_of(VALUE, TEXT), max_size=5),
)


@given(DOCUMENT, st.booleans(), st.sampled_from([None, 1]), st.lists(st.integers(0, 10_000), max_size=6))
def test_it_finds_what_a_parser_finds(
    document: Any, ascii_only: bool, indent: int | None, cuts: list[int]
) -> None:
    """Wherever the member stands, however it is escaped and laid out, and in whatever pieces it comes."""
    body = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    assert read(body, *cuts) == expected(document)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_whatever_callers_send(body: bytes, cuts: list[int]) -> None:
    """No bytes raise, and the pieces in which they come change nothing."""
    assert read(body, *cuts) == read(body)


@given(st.text('{}[]:,"\\ model1', max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_whatever_looks_like_json(text: str, cuts: list[int]) -> None:
    """What a parser takes is read as it reads it; what it refuses is the provider's to refuse."""
    found = read(text.encode(), *cuts)
    try:
        document = json.loads(text)
    except ValueError:
        return
    assert found == expected(document)


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model":"a"}', "a"),
        (b'{"messages":[{"model":"no"}],"model":"a"}', "a"),
        (b'{"model":"a","model":"b"}', "b"),
        (b'{"model":"a","model":7}', None),
        (b'{"model":"a","model":{"model":"b"}}', None),
        (b'{"model":["a"]}', None),
        (b'{"m\\u006fdel":"\\u0061"}', "a"),
        (b'{"x":"\\"model\\":\\"no\\"","model":"a"}', "a"),
        (b'[{"model":"a"}]', None),
        (b'"model"', None),
        (b'["model":"a"]', None),
        (b"", None),
        (b'{"model":"a', None),
        (b"[" * 100_000 + b'{"model":"a"}', None),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"model":"a"}', "a"),
        (b'{"model":"' + b"a" * 300 + b'"}', None),
    ],
)
def test_tricks(body: bytes, model: str | None) -> None:
    """The last member of the top level counts, and only a text of reasonable length."""
    assert read(body) == model


def test_memory_is_bounded() -> None:
    """Of a text of a hundred megabytes nothing is kept, at the top or below."""
    for start in (b'{"model":"', b'{"x":["', b'{"'):
        reader = ModelReader()
        reader.feed(start)
        for _ in range(100):
            reader.feed(b"a\\n" * 20_000)
            assert len(reader._text) <= 1024


def test_named_models() -> None:
    """An exact name before a beginning, a longer beginning before a shorter one, and none for all others."""
    named = Named(["gpt-5", "gpt-*", "gpt-5-*", "o3"])
    assert [named.find(model) for model in ("gpt-5", "gpt-5-mini", "gpt-4", "o3", "o3-pro", None)] == [
        "gpt-5",
        "gpt-5-*",
        "gpt-*",
        "o3",
        None,
        None,
    ]


def test_a_piece_may_end_anywhere() -> None:
    """In the middle of an escape, too."""
    body = b'{"a\\"model\\\\":"\\\\\\"","x":"\\u0061\\\\","model":"a\\"\\\\b"}'
    assert {read(body, cut) for cut in range(len(body))} == {json.loads(body)["model"]}
