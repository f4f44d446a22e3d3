"""Headers on their way through a proxy: which are forwarded, which are rebuilt, which values are valid.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from __future__ import annotations

import math
import re
from functools import cache

Headers = list[tuple[bytes, bytes]]

# The limits for a head, of requests and responses, in bytes and in lines: four times those of nginx and Node.
# Providers send some thirty headers, SDKs some twenty.
MAX_HEAD = 64 * 1024
MAX_HEADERS = 256

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",  # RFC 7540, 3.2.1: comes with `Upgrade: h2c`
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
# Rebuilt for each hop, never copied. Our server has already responded to `Expect`.
FRAMING = frozenset({b"content-length", b"host", b"expect"})
# The usual values of `Connection`, which name no other header to drop.
CONNECTION_OPTIONS = frozenset({b"keep-alive", b"close"})
# Where callers put a key: the official SDKs, and that of Azure (`api-key`).
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key"})
# Names a known caller to the bridge, beside its own key.
TOKEN = b"x-aibridge-token"

_TIMEOUT_HEADERS = frozenset({b"x-stainless-read-timeout", b"x-stainless-timeout"})
_SECONDS = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")

# What is remembered of names in another case: so many, of at most this length.
_MOST_NAMES, _LONGEST_NAME = 1000, 64

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
UNENCODED = (b"", b"identity")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class _LowerCase(dict[bytes, bytes]):
    """Header names in lower case, by the name as it was sent; bounded, because peers choose names."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        if len(self) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
            self[name] = lower
        return lower


# `LOWER[name]` is `name.lower()` without a call for a name that was seen before.
LOWER = _LowerCase()


def end_to_end(headers: Headers, drop: frozenset[bytes] = frozenset()) -> Headers:
    """Return the headers to forward: not hop-by-hop, nor framing, nor named by `Connection`, nor in `drop`."""
    dropped = _dropped(drop)
    kept = [header for header in headers if header[0].lower() not in dropped]
    if len(kept) < len(headers):
        named = {
            token.strip().lower()
            for name, value in headers
            if name.lower() == b"connection"
            for token in value.split(b",")
        }
        if not named <= CONNECTION_OPTIONS:
            return [header for header in kept if header[0].lower() not in named]
    return kept


@cache
def _dropped(drop: frozenset[bytes]) -> frozenset[bytes]:
    return HOP_BY_HOP | FRAMING | drop


def find(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of the header `name` (lower-case), None without one."""
    return next((value for key, value in headers if key.lower() == name), None)


def sane_request_id(values: list[bytes]) -> bytes | None:
    """Return the caller's request id if there is exactly one, of visible ASCII, at most 128 bytes long."""
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else None


def content_length(values: list[bytes]) -> int | None:
    """Return the Content-Length, None without one. Raises ValueError if it is no number or repeated."""
    if not values:
        return None
    if len(values) > 1 or not _DIGITS.fullmatch(values[0]):
        raise ValueError
    return int(values[0])


def caller_timeout(headers: Headers) -> float:
    """Return the read timeout (seconds) that a caller announces, infinity without one.

    `x-stainless-read-timeout`, and Anthropic's `x-stainless-timeout`, are what the official SDKs send.
    """
    said = [value for name, value in headers if name.lower() in _TIMEOUT_HEADERS and _SECONDS.fullmatch(value)]
    return min((seconds for value in said if (seconds := float(value))), default=math.inf)


def is_unencoded(headers: Headers) -> bool:
    """Return whether a body has no content coding."""
    return (find(headers, b"content-encoding") or b"").strip().lower() in UNENCODED


def media_type(headers: Headers) -> str:
    """Return the media type of a response in lower case, without parameters."""
    value = find(headers, b"content-type") or b""
    return value.partition(b";")[0].strip().lower().decode("latin-1")
