"""Tokens of known callers: new ones, and how to recognize one in any text.

A token is `aib_`, 43 random characters (256 bits) and a checksum of 6, all of `0-9A-Za-z`:

    aib_[0-9A-Za-z]{49}

The checksum is the CRC-32 of the random characters in base 62, so that secret scanners and the bridge tell a token
from other text without a list of tokens, as with GitHub's:
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/

The form is a convenience. A caller is named by the SHA-256 of whatever bytes it sends.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "aib_"
BEGINNING = PREFIX.encode()
_RANDOM, _CHECKSUM = 43, 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(rb"aib_([0-9A-Za-z]{43})([0-9A-Za-z]{6})(?![0-9A-Za-z])")


def new_token() -> str:
    """Return a new token, from the system's source of randomness."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return PREFIX + text + _checksum(text.encode())


def token_hash(token: bytes) -> str:
    """Return the hex SHA-256 of a token, as `token_sha256` lists it."""
    return hashlib.sha256(token).hexdigest()


def contains_token(text: bytes) -> bool:
    """Return whether a text contains something that has a token's form, and the right checksum."""
    return BEGINNING in text and any(_checksum(found[1]) == found[2].decode() for found in _TOKEN.finditer(text))


def looks_mistyped(text: bytes) -> bool:
    """Return whether a text begins as a token does, but is none: part of it is missing or wrong."""
    return text.startswith(BEGINNING) and not contains_token(text)


def _checksum(text: bytes) -> str:
    rest, digits = zlib.crc32(text), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
