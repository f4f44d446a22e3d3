from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.inspection.json_lexer import (
    LONGEST_RAW,
    LONGEST_TEXT,
    PART_OF_ESCAPE,
    SCALAR,
    decoded,
    is_part_of_word,
    shortened,
)

NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)).map(json.dumps)
WORDS = st.one_of(NUMBERS, st.sampled_from(["true", "false", "null", "NaN", "Infinity", "-Infinity"]))


@given(WORDS, st.sampled_from([",", "}", "]", " "]))
def test_a_scalar_matches_as_a_whole(word: str, follows: str) -> None:
    """A number or a literal is matched to its end, if a byte that ends it follows."""
    match = SCALAR.match((word + follows).encode())
    assert match is not None
    assert match[0] == word.encode()
    assert SCALAR.match(word.encode()) is None


@given(WORDS, st.integers(0, 30))
def test_the_beginning_of_a_word_may_become_one(word: str, cut: int) -> None:
    """Every beginning of a number or a literal is recognised as one."""
    assert is_part_of_word(word[:cut].encode())


@pytest.mark.parametrize("text", [b"01", b"+1", b"--1", b"1.e", b"tru3", b"nul!", b"1e+-", b"inf"])
def test_what_cannot_become_a_word(text: bytes) -> None:
    """What no number or literal begins with is not part of one."""
    assert not is_part_of_word(text)


@given(
    st.from_regex(r"-?[1-9][0-9]{0,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{0,60})?", fullmatch=True),
    st.sampled_from("0.e+-,x"),
)
def test_a_shortened_number_continues_as_the_number_does(number: str, more: str) -> None:
    """Whatever follows, the shortened number and the number are both part of a word, or neither is."""
    short = shortened(number.encode())
    assert len(short) <= 40
    assert is_part_of_word(short + more.encode()) == is_part_of_word((number + more).encode())


@given(st.text(max_size=400))
def test_a_string_is_decoded_and_cut(text: str) -> None:
    """Escapes are decoded, and the result is the beginning of the string."""
    raw = bytearray(json.dumps(text)[1:-1].encode())
    assert decoded(raw) == text[:LONGEST_TEXT]


def test_a_string_that_is_cut_within_an_escape() -> None:
    """An incomplete escape at the cut is dropped."""
    raw = bytearray(b"a" * (LONGEST_RAW - 3) + b"\\ud83d\\ude00")
    assert decoded(raw) == "a" * LONGEST_TEXT


@pytest.mark.parametrize("part", [b"\\", b"\\u", b"\\u12", b"\\u123"])
def test_incomplete_escapes(part: bytes) -> None:
    """An escape without its last characters is incomplete; a complete one and other text are not."""
    assert PART_OF_ESCAPE.fullmatch(part)
    assert not PART_OF_ESCAPE.fullmatch(part + b"zz")
    assert not PART_OF_ESCAPE.fullmatch(b"\\u1234")
