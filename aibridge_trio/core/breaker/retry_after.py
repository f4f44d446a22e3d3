"""Retry hints: when to come back, from the headers of a provider's answer.

`Retry-After` (seconds or a date, RFC 9110, 10.2.3), `retry-after-ms` (Azure, OpenAI), and the reset times of
exhausted quotas. The longest counts: an exhausted quota stays so whatever another header says. A malformed value
is ignored, and a hint counts as a year at most.
"""

from __future__ import annotations

import math
import re
from calendar import timegm
from collections.abc import Callable, Iterator
from email.utils import parsedate_tz
from typing import NamedTuple

from aibridge_trio.core.quota import Left
from aibridge_trio.http import headers as h

# Parses the value of a reset header: (value, unix time now) → seconds from now, None if malformed.
Reset = Callable[[str, float], float | None]

# OpenRouter's `x-ratelimit-reset` is a unix time in milliseconds; shorter numbers have other meanings elsewhere.
# https://openrouter.ai/docs/api_reference/limits
_MILLISECONDS = re.compile(r"[0-9]{13}", re.ASCII)
# Mistral's quotas of a minute have other names, and no reset: it comes within the minute.
# https://github.com/mistralai/client-ts/issues/169
_OF_A_MINUTE = {b"req-minute": "requests", b"tokens-minute": "tokens"}
_MINUTE = 60.0
_LONGEST = 365 * 86_400.0
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):?(\d\d))"
)


class QuotaHeaders(NamedTuple):
    """The names of a provider's quota headers.

    `remaining` matches the name of the header with the rest of a quota; its group is the quota's name. `limit` and
    `reset` are the names of that quota's other headers, with `*` for the quota's name; `read` parses the reset.
    """

    remaining: re.Pattern[bytes]
    limit: bytes
    reset: bytes
    read: Reset


def from_headers(headers: h.Headers, quotas: QuotaHeaders | None, wall: float) -> float | None:
    """Return the seconds after which to come back, None without a hint.

    `wall` is the unix time. It is used for an answer without a `Date` header only: the provider's clock may differ
    from ours, so two times are compared on the same clock where possible.
    """
    names = {name.lower(): value.decode("latin-1").strip() for name, value in reversed(headers)}
    now = http_date(names.get(b"date", "")) or wall
    hints = [seconds for seconds in _hints(names, quotas, now) if seconds > 0]
    return min(max(hints), _LONGEST) if hints else None


def later(one: float | None, other: float | None) -> float | None:
    """Return the longer of two hints."""
    return max((hint for hint in (one, other) if hint is not None), default=None)


def quotas_left(headers: h.Headers, quotas: QuotaHeaders, wall: float) -> list[Left]:
    """Return what the headers of an answer tell of quotas, without malformed ones; `wall` is the unix time."""
    names = {name.lower(): value.decode("latin-1").strip() for name, value in reversed(headers)}
    found = []
    for name, value in names.items():
        if match := quotas.remaining.fullmatch(name):
            remaining = _number(value)
            limit = _number(names.get(quotas.limit.replace(b"*", match[1]), ""))
            told = names.get(quotas.reset.replace(b"*", match[1]))
            of_a_minute = _OF_A_MINUTE.get(match[1]) if told is None else None
            reset = _MINUTE if of_a_minute else quotas.read(told or "", wall)
            if remaining is not None and limit is not None and reset is not None:
                quota = of_a_minute or match[1].decode("ascii")
                found.append(Left(quota, int(limit), int(remaining), max(0.0, reset)))
    return found


def _hints(names: dict[bytes, str], quotas: QuotaHeaders | None, now: float) -> Iterator[float]:
    after = names.get(b"retry-after", "")
    if (seconds := _number(after)) is not None:
        yield seconds
    elif (moment := http_date(after)) is not None:
        yield moment - now
    if (milliseconds := _number(names.get(b"retry-after-ms", ""))) is not None:
        yield milliseconds / 1000
    moment_in_ms = _MILLISECONDS.fullmatch(names.get(b"x-ratelimit-reset", ""))
    if moment_in_ms and _number(names.get(b"x-ratelimit-remaining", "")) == 0:
        yield int(moment_in_ms[0]) / 1000 - now
    if quotas is None:
        return
    for name, value in names.items():
        if _number(value) == 0 and (match := quotas.remaining.fullmatch(name)):
            reset = quotas.read(names.get(quotas.reset.replace(b"*", match[1]), ""), now)
            if reset is not None:
                yield reset


def duration(text: str, _now: float) -> float | None:
    """Parse `6m0s`, `12ms`, `1h30m`, or plain seconds; None if malformed."""
    if (seconds := _number(text)) is not None:
        return seconds
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)


def timestamp(text: str, now: float) -> float | None:
    """Parse an RFC 3339 time; return the seconds from `now` (unix time), None if malformed."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004 - a calendar
        return None
    moment = timegm((year, month, day, hour, minute, second)) + float(f"0.{match[7] or 0}")
    if match[8]:
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        moment -= offset if match[8] == "+" else -offset
    return moment - now


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def http_date(text: str) -> float | None:
    """Parse an HTTP date; return its unix time, None if malformed."""
    try:
        parts = parsedate_tz(text)
        return None if parts is None else timegm((*parts[:6], 0, 0, 0)) - (parts[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
