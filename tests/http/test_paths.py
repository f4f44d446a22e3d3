"""Paths that mean the same to every reader, and those that do not."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.errors import BadRequest
from aibridge_trio.http import paths

BASE = b"/openai/v1/models/"


@pytest.mark.parametrize(
    "rest",
    [
        *(
            b"%252e%252e/files",
            b"%252f",
            b"%25%32%65",
            b"%255c",
            b"x%2525",
            b"..%00",
            b"x%00",
            b"%00",
            b"x%0a",
            b"x%7f",
        ),
        *(b"%c0%ae%c0%ae/x", b"%c0%af", b"%e0%80%ae", b"%ff", b"\xff", b"..%3b/x", b"..;/x", b"x;y=1", b"x%3by"),
        *(b"%5c", b"..%5cx", b"%2e%2e", b".%2E", b"x%2eb", b"//", b"x//y", b"x%2f%2fy", b"%2fx", b"x%2f..%2fy"),
        *(b"x%2f..", b"..%2f", b".%2fx", b"%u002e", b"%", b"%2", b"%zz", b"x%3fy", b"x%23y", b"x#y", b"..", b"."),
        *(b"...", b"..%20/x", b"%20", b".%20.", b"%ef%bc%8e%ef%bc%8e", b"x%ef%bc%8f..%ef%bc%8fy", b"%e2%80%ae"),
        *(b"\x01", b"x y\x7f", b"%c2%85"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(rest: bytes) -> None:
    """Encoded once, twice or wrongly, overlong, as a look-alike: what decodes to more than plain text."""
    with pytest.raises(BadRequest):
        paths.check(BASE + rest)


@pytest.mark.parametrize(
    "rest",
    [
        b"gpt-5",
        b"ft:gpt/x/y",
        b"a%20b:c",
        b"x.",
        b"a..b",
        b".hidden",
        b"x/",
        b"%c3%a9t%c3%a9",
        b"@x=1,2~",
        b"x%40y",
    ],
)
def test_what_is_plain_passes(rest: bytes) -> None:
    """Names as they are, encoded where they need be."""
    assert not paths.check(BASE + rest)


@pytest.mark.parametrize("rest", [b"meta-llama%2FLlama-3", b"a%2fb%2fc", b"models/a%2fb"])
def test_an_encoded_slash_is_reported(rest: bytes) -> None:
    """Whether one may stand there is its route's to say."""
    assert paths.check(BASE + rest)


hard = st.sampled_from([*b"%.;/\\?# \x00\x01\x7f\xc0\xae\xff25efcEFC30", *b"ab"])
tokens = st.sampled_from(
    [
        b"%2e",
        b"%2E",
        b"%252e",
        b"%2f",
        b"%5c",
        b"%00",
        b"%3b",
        b"%c0%ae",
        b"%25",
        b"..",
        b".",
        b"/",
        b"%",
        b"x",
        b"%20",
    ]
)


@given(st.lists(tokens | hard.map(lambda byte: bytes([byte])) | st.binary(max_size=2), max_size=12).map(b"".join))
@example(b"%25252e%25252e")
@example(b"\xef\xbc\x8e\xef\xbc\x8e/x")
def test_decoding_again_and_again_never_leads_elsewhere(rest: bytes) -> None:
    """Of whatever passes, no reading has a dot segment, a backslash, a control or half a character."""
    try:
        slash = paths.check(BASE + rest)
    except BadRequest:
        return
    assert slash == (b"%2f" in rest.lower())
    seen = BASE + rest
    for _ in range(8):
        text = seen.decode("utf-8")  # strictly: overlong forms raise
        for form in (text, unicodedata.normalize("NFKC", text)):
            segments = form.split("/")[1:]
            assert not any(segment.strip(". ") == "" for segment in segments[:-1]), form
            assert not segments[-1] or segments[-1].strip(". ")
            assert not set("\\;#?") & set(form)
            assert all(char.isprintable() for char in form)
        seen = unquote_to_bytes(seen)
