"""Members of a body, against json's own reading of it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.inspection.json_lexer import LONGEST_TEXT
from aibridge_trio.core.inspection.json_members import MAX_STEPS, MemberReader
from aibridge_trio.core.inspection.wanted_members import Kind, Value, Wanted

WANTED = Wanted("model", "background")
DECODER = json.JSONDecoder(strict=False, parse_int=lambda text: int(text) if len(text) < 20 else float(text))


def reading(body: bytes, *cuts: int, wanted: Wanted = WANTED) -> MemberReader:
    """Read a body that comes in pieces, to its end."""
    reader = MemberReader(wanted)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        for _ in reader.feed(body[start:end]):
            pass
    reader.close()
    return reader


def read(body: bytes, *cuts: int) -> dict[str, Value]:
    """Return what is found in a body that has no fault."""
    reader = reading(body, *cuts)
    assert reader.fault is None
    return reader.found


def expected(document: Any) -> dict[str, Value]:
    """Return what a parser's result has of the members that are wanted."""
    found = {name: document[name] for name in ("model", "background") if name in document}
    return {
        name: value[:LONGEST_TEXT]
        if isinstance(value, str)
        else value
        if value is None or isinstance(value, bool) or (isinstance(value, int) and 0 <= value < 10**9)
        else Kind.OPAQUE
        for name, value in found.items()
    }


def check(body: bytes, cuts: list[int]) -> None:
    """What json reads, is read as json reads it; what it refuses, has a fault; pieces change nothing."""
    reader = reading(body, *cuts)
    whole = reading(body)
    assert (reader.found, reader.fault) == (whole.found, whole.fault)
    parsed = WANTED.parse(body)
    assert parsed is None or (whole.fault is None and parsed == whole.found)
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").lstrip(" \t\r\n")
    if not text.startswith("{"):
        assert whole.found == {}
        assert (whole.fault is None) == (text == "" or text[0] in '["-0123456789tfnNI')
        return
    try:
        document, _ = DECODER.raw_decode(text)
    except ValueError:
        assert whole.fault
    else:
        assert whole.fault is None
        assert whole.found == expected(document)


NAME = st.one_of(st.text(max_size=5), st.sampled_from(["model", "background", "messages", "models"]))
TEXT = st.one_of(st.text(max_size=12), st.text('\\"/\n\x00é😀 a', max_size=300))
NUMBER = st.one_of(st.integers(-9, 9), st.floats(), st.integers(-(10**40), 10**40))
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAME, inner, max_size=4)),
    max_leaves=20,
)
DOCUMENT = st.one_of(st.dictionaries(NAME, VALUE, max_size=5), VALUE)
CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(DOCUMENT, st.booleans(), st.sampled_from([None, 1]), CUTS)
def test_it_finds_what_a_parser_finds(
    document: Any, ascii_only: bool, indent: int | None, cuts: list[int]
) -> None:
    """A member is found wherever it stands, however it is escaped and laid out, in whatever pieces it comes."""
    check(json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass"), cuts)


@given(DOCUMENT, st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=2)), max_size=3), CUTS)
def test_it_refuses_what_a_parser_refuses(
    document: Any, strokes: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    """With a byte or two changed in any place, reader and parser agree on validity and on members."""
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    for place, stroke in strokes:
        at = place % (len(body) + 1)
        body = body[:at] + stroke + body[at + len(stroke) // 2 :]
    check(body, cuts)


@given(st.text('{}[]:,"\\ model1.eE-+0\n', max_size=60), CUTS)
@example('{"a":01}', [])
@example('{"a":1.}', [5])
@example('{"a":-}', [6])
@example('{"a":[1,],"model":"x"}', [])
@example('{"a":"\\x"}', [])
@example('{"a":"\\u00g0"}', [8])
def test_whatever_looks_like_json(text: str, cuts: list[int]) -> None:
    """The reader follows the grammar exactly, also where a piece ends within a number, a word or an escape."""
    check(text.encode(), cuts)


@given(st.binary(max_size=200), CUTS)
def test_whatever_callers_send(body: bytes, cuts: list[int]) -> None:
    """No bytes make the reader raise, and the pieces in which they come change nothing."""
    check(body, cuts)


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model":"a"}', "a"),
        (b'{"messages":[{"model":"no"}],"model":"a"}', "a"),
        (b'{"model":"a","model":"b"}', "b"),
        (b'{"model":"a","model":7}', 7),
        (b'{"model":"a","model":{"model":"b"}}', Kind.OPAQUE),
        (b'{"model":["a"]}', Kind.OPAQUE),
        (b'{"model":null}', None),
        (b'{"m\\u006fdel":"\\u0061"}', "a"),
        (b'{"x":"\\"model\\":\\"no\\"","model":"a"}', "a"),
        (b'{"models":"no","mode":"no","model ":"no","model":"a"}', "a"),
        (b'{"x":' + b"[" * 1500 + b"]" * 1500 + b',"model":"a"}', "a"),
        (b'{"x":' + b'{"":' * 20_000 + b"1" + b"}" * 20_000 + b',"model":"a"}', "a"),
        (b'{"x":' + b"9" * 5000 + b',"model":"a"}', "a"),
        (b'{"x":-' + b"9" * 50_000 + b"." + b"9" * 50_000 + b"e-" + b"9" * 50_000 + b',"model":"a"}', "a"),
        (b'\xef\xbb\xbf \r\n{"model":"a"}', "a"),
        (b'{"x":"\xff\xc0\x80\\ud800\x00","model":"a"}', "a"),
        (b'{"x":[NaN,Infinity,-Infinity],"model":"a"}', "a"),
        (b'{"model":"a"}\x00 what no parser asks for', "a"),
        (b'{"model":"' + b"\\u0061" * 256 + b'"}', "a" * 256),
        (b'{"model":"' + b"\\ud83d\\ude00" * 256 + b'"}', "😀" * 256),
        (b'{"model":"' + b"a" * 300 + b'"}', "a" * LONGEST_TEXT),
        (b'{"model":"' + b"\\n" * 50_000 + b'"}', "\n" * LONGEST_TEXT),
        (b'{"model":"a' + b"\\ud83d\\ude00" * 300 + b'"}', "a" + "😀" * (LONGEST_TEXT - 1)),
    ],
)
def test_what_hides_no_model(body: bytes, model: Value) -> None:
    """Depth, long numbers, marks, broken text, escapes and duplicates hide no model, however the body is cut."""
    assert read(body) == {"model": model}
    assert read(body, *range(0, min(len(body), 2000), 7)) == {"model": model}
    padded = body.replace(b'"model"', b'"pad":"' + b"x" * 100_000 + b'","model"')
    assert read(padded) == {"model": model}


@pytest.mark.parametrize("body", [b"", b" \n", b"[1,2", b'"model"', b"7", b'["model":"a"]', b"null"])
def test_what_is_no_object_has_no_members(body: bytes) -> None:
    """A body that is no object has no members and no fault, because the provider judges it."""
    assert read(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a"',
        b'{"model":"a',
        b'{"model":"a",}',
        b'{"model":"a" "b":1}',
        b'{"model":"a",/**/"model":"b"}',
        b'{"model":"a","x":tru',
        b'{"model":"a","x":1',
        b'{"model":"a"]',
        b'{"model":"a","x":[1,2}',
        b'{"model":"a","x":[1 2],"model":"b"}',
        b'{"model":"a",model:"b"}',
    ],
)
def test_the_first_violation_ends_the_reading(body: bytes) -> None:
    """A violation leaves the members before it known, and the fault says where it stands."""
    for cut in range(len(body)):
        reader = reading(body, cut)
        assert reader.fault
        assert "byte" in reader.fault
        assert reader.found in ({"model": "a"}, {})
    assert reading(b'{"m": 1, x}').fault == "it is no JSON from byte 9 on"
    assert reading("{}".encode("utf-16")).fault == "it is no JSON from byte 0 on"


def test_reading_stops_at_a_violation_and_behind_the_object() -> None:
    """Bytes after a violation or after the object cost no steps."""
    for body in (b'{""""', b'{"model":"a"}'):
        reader = reading(body)
        assert reader.done
        steps = reader._steps
        assert list(reader.feed(b'"' * 10_000_000)) == []
        assert reader._steps == steps


COSTLY = {
    "strings": b'"",',
    "numbers": b"1,",
    "arrays": b"[],",
    "objects": b'{"a":{}},',
    "deep": b"[",
    "deep objects": b'{"":',
    "deep by turns": b'[{"":',
    "nearly flat": b"[[[[[[1]]]]]],",
    "in vain": b"[[" + b"1," * 3000 + b"[[[[1]]]]]],",
    "spaces": b" [ ] , ",
    "escapes": b'"\\u0061\\n",',
    "digits": b"1",
}


@pytest.mark.parametrize("name", COSTLY)
@pytest.mark.parametrize("start", [b'{"x":[', b'{"model":['])
def test_work_is_bounded(name: str, start: bytes) -> None:
    """However a body is built, reading takes no more than MAX_STEPS, with pauses between them."""
    body = start + COSTLY[name] * (2_000_000 // len(COSTLY[name]))
    reader = MemberReader(WANTED)
    pauses = steps = most = 0
    for _ in reader.feed(body):
        pauses += 1
        most = max(most, reader._steps - steps)
        steps = reader._steps
    assert reader._steps <= MAX_STEPS + 1
    assert most <= 256 + 1, most
    assert pauses >= min(len(body) // 16384, MAX_STEPS // 256)


@pytest.mark.parametrize("element", [b'"\\u0061":1,', b'"model":1,', b'"a":[[[]]],', b'"mode":1,'])
def test_members_of_the_top_cost_no_more(element: bytes) -> None:
    """A million escaped or wanted names at the top level take no more than MAX_STEPS."""
    reader = reading(b"{" + element * (3_000_000 // len(element)))
    assert reader.fault
    assert reader._steps <= MAX_STEPS + 1


def test_a_body_beyond_the_bound_says_so() -> None:
    """A body that needs more than MAX_STEPS has a fault that says so."""
    assert reading(b'{"x":' + b"[" * 200_000).fault == "it is too intricate"


def test_an_ordinary_body_is_far_from_the_bound() -> None:
    """A conversation of 20,000 messages with tools is read in few steps a message."""
    message = {
        "role": "user",
        "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x\n" * 80}]}],
    }
    body = json.dumps({"messages": [message] * 20_000, "model": "a"}).encode()
    reader = reading(body)
    assert reader.found == {"model": "a"}
    assert reader._steps < MAX_STEPS * 0.6


def test_memory_is_bounded() -> None:
    """The reader keeps a bounded amount of a text, a name or a number, at the top level or below."""
    for start, more in (
        (b'{"model":"', b"a\\n"),
        (b'{"x":["', b"a\\n"),
        (b'{"', b"a\\n"),
        (b'{"model":', b"123"),
        (b'{"model":', b"   "),
    ):
        reader = MemberReader(WANTED)
        for piece in (start, *[more * 20_000] * 100):
            for _ in reader.feed(piece):
                assert len(reader._text) < 40_000
                assert len(reader._rest) < 100
        assert reader.fault is None


def test_a_piece_may_end_anywhere() -> None:
    """A piece may end anywhere, within an escape too."""
    body = b'{"a\\"model\\\\":"\\\\\\"","x":"\\u0061\\\\","model":"a\\"\\\\b","background":true}'
    for cut in range(len(body)):
        assert read(body, cut) == {"model": json.loads(body)["model"], "background": True}
