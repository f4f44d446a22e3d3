"""What an error says of the key that its request was sent with.

* 429: the key has made too many requests. With a code of an exhausted account, its quota is spent.
* 402: no credit is left (OpenRouter, DeepSeek): https://openrouter.ai/docs/api/reference/errors-and-debugging
* 401: the key is not accepted, unless it only may not do this: OpenAI says `Missing scopes: …` to restricted keys,
  Azure `PermissionDenied`.
* 400 and 403 say so by a code: Gemini `API_KEY_INVALID` (https://ai.google.dev/gemini-api/docs/troubleshooting),
  OpenAI `account_deactivated`, Bedrock's bearer endpoint by its message alone. Any other is about the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from aibridge_trio.core.breaker.provider_error import TOO_MANY_REQUESTS, is_exhausted

UNAUTHORIZED, PAYMENT_REQUIRED, BAD_REQUEST, FORBIDDEN = 401, 402, 400, 403
# The statuses whose body may say something of the key.
STATUSES = frozenset({BAD_REQUEST, UNAUTHORIZED, PAYMENT_REQUIRED, FORBIDDEN, TOO_MANY_REQUESTS})

_INVALID = frozenset(
    {
        "api_key_invalid",
        "api_key_expired",
        "api_key_revoked",
        "invalid_api_key",
        "expired_api_key",
        "revoked_api_key",
        "account_deactivated",
        "consumer_suspended",
        "unrecognizedclientexception",
        "expiredtokenexception",
    }
)
_NOT_PERMITTED = frozenset(
    {"permissiondenied", "permission_denied", "permission_error", "insufficient_permissions"}
)
# The message of an error without a code, from its beginning.
_SCOPES = re.compile(r"You have insufficient permissions|Missing scopes", re.IGNORECASE)
_REFUSED = re.compile(
    r"Authentication failed: Please make sure your API Key is valid|The security token included in"
)
_CODES = ("code", "type", "status", "reason", "__type")
_MESSAGES = ("message", "Message")


class KeyFault(StrEnum):
    """What is wrong with a key."""

    RATE = "rate"
    SPENT = "spent"
    INVALID = "invalid"


def of_answer(status: int, document: Mapping[str, Any]) -> KeyFault | None:
    """Return what an error says of its key, None for nothing; an empty `document` is no JSON object."""
    if status not in STATUSES:
        return None
    if status == PAYMENT_REQUIRED or is_exhausted(document):
        return KeyFault.SPENT
    if status == TOO_MANY_REQUESTS:
        return KeyFault.RATE
    codes = {code.lower() for code in _texts(document, _CODES)}
    if codes & _INVALID:
        return KeyFault.INVALID
    messages = list(_texts(document, _MESSAGES))
    if status == UNAUTHORIZED:
        permitted = codes.isdisjoint(_NOT_PERMITTED) and not any(map(_SCOPES.match, messages))
        return KeyFault.INVALID if permitted else None
    return KeyFault.INVALID if status == FORBIDDEN and any(map(_REFUSED.match, messages)) else None


def _texts(document: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts under these keys, of the document, its error, and the first of the error's details."""
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    detail = details[0] if isinstance(details, list) and details else details
    for holder in (document, error, detail if isinstance(detail, dict) else {}):
        for key in keys:
            if isinstance(text := holder.get(key), str):
                yield text
