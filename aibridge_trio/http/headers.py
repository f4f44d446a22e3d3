"""Headers on their way through: what dropped behind, what is rebuilt, what may be believed.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from __future__ import annotations

import math
import re
from functools import cache

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",  # RFC 7540, 3.2.1: beside an offer of h2c
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Rebuilt for each hop, never copied. `Expect` has been answered by the server in front.
_FRAMING = frozenset({b"content-length", b"host", b"expect"})
# What `Connection` says as a rule, which names no header that could be there.
_CONNECTION_OPTIONS = frozenset({b"keep-alive", b"close"})
CREDENTIALS = frozenset({b"authorization", b"x-api-key"})

_TIMEOUT_HEADERS = frozenset({b"x-stainless-read-timeout", b"x-stainless-timeout"})
_SECONDS = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_DIGITS = re.compile(rb"[0-9]{1,18}")


def end_to_end(headers: Headers, drop: frozenset[bytes] = frozenset()) -> Headers:
    """Return what may go further: neither hop-by-hop, nor framing, nor named by `Connection`, nor in `drop`."""
    dropped = _dropped(drop)
    kept = [header for header in headers if header[0].lower() not in dropped]
    if len(kept) < len(headers):
        named = {
            token.strip().lower()
            for name, value in headers
            if name.lower() == b"connection"
            for token in value.split(b",")
        }
        if not named <= _CONNECTION_OPTIONS:
            return [header for header in kept if header[0].lower() not in named]
    return kept


@cache
def _dropped(drop: frozenset[bytes]) -> frozenset[bytes]:
    return _HOP_BY_HOP | _FRAMING | drop


def find(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of the header `name` (lower-case), None without one."""
    return next((value for key, value in headers if key.lower() == name), None)


def sane_request_id(values: list[bytes]) -> bytes | None:
    """Return the caller's request id if there is one and it is visible ASCII of at most 128 bytes."""
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else None


def content_length(values: list[bytes]) -> int | None:
    """Return the length announced, None without one; ValueError if it is no number, or there are several."""
    if not values:
        return None
    if len(values) > 1 or not _DIGITS.fullmatch(values[0]):
        raise ValueError
    return int(values[0])


def caller_timeout(headers: Headers) -> float:
    """Return for how many seconds a caller says it waits for an answer, infinity if it says nothing.

    `x-stainless-read-timeout`, and Anthropic's `x-stainless-timeout`, are what the official SDKs send.
    """
    said = [value for name, value in headers if name.lower() in _TIMEOUT_HEADERS and _SECONDS.fullmatch(value)]
    return min((seconds for value in said if (seconds := float(value))), default=math.inf)


def media_type(headers: Headers) -> str:
    """Return the bare media type of an answer, lower-case, without parameters."""
    value = find(headers, b"content-type") or b""
    return value.partition(b";")[0].strip().lower().decode("latin-1")
