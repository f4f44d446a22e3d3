"""Known callers to configure a bridge with, and their tokens."""

from __future__ import annotations

import secrets
from datetime import date
from random import Random
from unittest.mock import patch

from aibridge_trio.config.caller_tokens import new_token, token_hash
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.core.terms import Terms


def fixed_tokens(number: int) -> list[str]:
    """Return tokens that are the same in every process: names of tests may have them, and xdist compares those."""
    with patch.object(secrets, "choice", Random(7).choice):
        return [new_token() for _ in range(number)]


DEV, OTHER, LIMITED, EXPIRED, REVOKED = fixed_tokens(5)
# Any bytes may be a token, if its hash is listed.
FREE = "tk-free-form-0123456789"
LAST_DAY = date(2020, 2, 29)

KNOWN = KnownCallers(
    callers=(
        KnownCaller(
            name="dev-07", class_name="people", token_sha256=(token_hash(DEV.encode()), token_hash(FREE.encode()))
        ),
        KnownCaller(name="ci", class_name="machines", token_sha256=(token_hash(OTHER.encode()),)),
        KnownCaller(
            name="limited",
            terms=Terms(models=("claude-*", "gpt-5")),
            token_sha256=(token_hash(LIMITED.encode()),),
        ),
        KnownCaller(name="gone", token_sha256=(token_hash(EXPIRED.encode()),), expires=LAST_DAY),
        KnownCaller(name="laptop", certificate="laptop.example"),
    ),
    classes=("people", "machines"),
)


def bearer(token: str) -> dict[str, str]:
    """Return the header with which most SDKs send a key."""
    return {"authorization": f"Bearer {token}"}
