"""Patterns of JSON's tokens (RFC 8259) as bytes, complete and cut off."""

from __future__ import annotations

import json
import re

WS = rb"[ \t\n\r]*+"
_ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_INSIDE = rb'(?:[^"\\]++|' + _ESCAPE + rb")*+"
STRING = rb'"' + _INSIDE + rb'"'
_NUMBER = rb"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
# The byte after a number shows that the number has ended.
_WORD = rb"(?:" + _NUMBER + rb"|true|false|null|NaN|-?Infinity)(?=[ \t\n\r,\]}])"
_LITERALS = (b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity")


def _nested(value: bytes) -> bytes:
    """Return a pattern for a value, or for an array or object of such values."""
    comma = rb"(?:," + WS + rb"(?![\]}])|(?=[\]}]))"
    member = STRING + WS + rb":" + WS + value
    items, members = (WS + rb"(?:" + each + WS + comma + rb")*+" for each in (value, member))
    return rb"(?:" + value + rb"|\[" + items + rb"\]|\{" + members + rb"\})"


# A scalar, or a container of scalars.
VALUE = _nested(rb"(?:" + STRING + rb"|" + _WORD + rb")")
SPACE = re.compile(WS)
SPACES = " \t\n\r"
REST_OF_TEXT = re.compile(_INSIDE)
PART_OF_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
SCALAR = re.compile(_WORD)
_NUMBER_SO_FAR = re.compile(rb"-?(?:(?:0|[1-9][0-9]*+)(?:\.(?:[0-9]++(?:[eE][+-]?[0-9]*+)?)?|[eE][+-]?[0-9]*+)?)?")
_CUT_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*+)\\(?:u[0-9a-fA-F]{0,3})?$")
_LONG_DIGITS = re.compile(rb"([0-9]{12})[0-9]+")
BOM = b"\xef\xbb\xbf"
DECODER = json.JSONDecoder(strict=False)
# Parses a container that ends in the same slice three times as fast; its numbers may have any length.
SKIP = json.JSONDecoder(strict=False, parse_int=float)

# The length (characters) at which a string is cut; it is longer than any string it is compared with.
LONGEST_TEXT = 257
# Its length in bytes when escaped: at most twelve for a character, as `\ud83d\ude00`.
LONGEST_RAW = 12 * LONGEST_TEXT


def decoded(raw: bytearray) -> str:
    """Return a string's value, cut to LONGEST_TEXT; bytes that are not UTF-8 become replacement characters."""
    text = bytes(raw[:LONGEST_RAW]).decode("utf-8", "replace")
    if len(raw) >= LONGEST_RAW:  # its last escape may be incomplete
        text = _CUT_ESCAPE.sub(r"\1", text)
    if "\\" in text:
        text = str(DECODER.decode(f'"{text}"'))
    return text[:LONGEST_TEXT]


def is_part_of_word(rest: bytes) -> bool:
    """Return whether this may be the beginning of a number or a literal."""
    return bool(_NUMBER_SO_FAR.fullmatch(rest)) or any(literal.startswith(rest) for literal in _LITERALS)


def shortened(number: bytes) -> bytes:
    """Return a number without long runs of digits that can continue exactly as this one can."""
    return _LONG_DIGITS.sub(rb"\1", number)
