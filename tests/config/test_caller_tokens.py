"""Tokens of callers."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.caller_tokens import contains_token, looks_mistyped, new_token, token_hash


def test_a_new_token_has_the_documented_form_and_is_new() -> None:
    """The pattern is what secret scanners are configured with."""
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    for token in made:
        assert re.fullmatch(r"aib_[0-9A-Za-z]{49}", token)
        assert contains_token(token.encode())
        assert not looks_mistyped(token.encode())


def test_the_form_stays() -> None:
    """The checksum is the CRC-32 of the random characters in base 62, as it was in the first version."""
    import zlib

    rest, digits = zlib.crc32(b"0" * 43), ""
    while rest:
        rest, digit = divmod(rest, 62)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit] + digits
    assert contains_token(b"aib_" + b"0" * 43 + digits.rjust(6, "0").encode())


@given(st.integers(4, 52), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
def test_one_wrong_character_shows(place: int, other: str) -> None:
    """A mistyped token is recognized as that: CRC-32 detects every change within 32 bits."""
    token = new_token()
    changed = token[:place] + other + token[place + 1 :]
    assert contains_token(changed.encode()) == (changed == token)
    assert looks_mistyped(changed.encode()) == (changed != token)


def test_a_token_is_found_in_any_text() -> None:
    """A header of another scheme may hold it, too."""
    token = new_token().encode()
    assert contains_token(b"Token " + token)
    assert contains_token(b"aib_" + token)
    assert not contains_token(token + b"x")
    assert not contains_token(b"sk-proj-0123456789")
    assert not looks_mistyped(b"sk-proj-0123456789")
    assert looks_mistyped(token[:-1])


def test_the_hash_is_the_hex_sha256() -> None:
    """It is what `sha256sum` prints, so that an entry can be written by hand."""
    assert token_hash(b"anything") == hashlib.sha256(b"anything").hexdigest()
