"""What an error object in an answer's body says: overload, a key's quota, an empty account, or something else.

Once an answer has begun, its status can't change: providers then put the error into the body, in many shapes. The
code may be a name or a status, as a number or as text, under several keys and in several places.

* Anthropic `{"type":"error","error":{"type":"overloaded_error"}}`: https://docs.anthropic.com/en/api/errors
* OpenAI `{"error":{"code":"rate_limit_exceeded"}}`, in Responses `{"type":"error","code":…}` and
  `{"type":"response.failed","response":{"error":…}}`: https://platform.openai.com/docs/guides/error-codes
* OpenRouter `{"error":{"code":503,"metadata":{"error_type":…}},"choices":[{"finish_reason":"error"}]}`, and an
  `error` inside a choice; in unary answers of status 200, too:
  https://openrouter.ai/docs/api/reference/errors-and-debugging
* LiteLLM `{"error":{"type":null,"code":"503"}}`; vLLM and SGLang `{"error":{"type":"ServiceUnavailableError",
  "code":503}}`, in older versions `{"object":"error","code":503}`; text-generation-inference
  `{"error":{"http_status_code":429}}`, `{"error":"Model is overloaded","error_type":"overloaded"}`; Groq
  `{"error":{"status_code":503}}`; Gemini `{"error":{"code":503,"status":"UNAVAILABLE"}}`, perhaps in a list.
* Others `{"code":503,"message":…}` without an `error`, as the native interface of DashScope; an error within
  an error, as gateways wrap it; `"503 Service Unavailable"`; names of their own such as `Throttling.RateQuota`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

OVERLOAD_STATUSES = frozenset({429, 503, 529})
TOO_MANY_REQUESTS = 429

# Names are compared in lower case, without what separates words, and without `error` or `exception` at their end.
# What has one of these in it, and is no text, is such a name as well.
_IN_OVERLOAD = ("overload", "serviceunavailable", "capacityexceeded")
_IN_QUOTA = ("ratelimit", "ratequota", "throttl", "toomanyrequests")
_OVERLOAD = frozenset(
    {
        "capacityexceeded",
        "engineoverloaded",
        "modeloverloaded",
        "overcapacity",
        "overloaded",
        "provideroverloaded",
        "serverisoverloaded",
        "serveroverloaded",
        "serviceunavailable",
        "slowdown",
        "unavailable",
    }
)
# Those that speak of the key's quota, as a 429 does, and not of everybody's trouble.
_QUOTA = frozenset(
    {
        "ratelimit",
        "ratelimited",
        "ratelimitexceeded",
        "ratelimitreached",
        "resourceexhausted",
        "throttled",
        "throttling",
        "toomanyrequests",
    }
)
# An error with one of these says that the account is out of money or at a limit somebody set for it: waiting
# never helps, and the provider is well. Anthropic tells in `error.details.error_code`.
# https://help.openai.com/en/articles/6614457, https://platform.claude.com/docs/en/api/rate-limits
_EXHAUSTED = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "organization_usage_limit_exceeded",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "enforced_spend_limit_reached",
    }
)
# Under these keys a name or a status may stand.
_KEYS = (
    *("code", "type", "status", "error_code", "error_type", "status_code", "http_code", "http_status"),
    *("http_status_code", "errorCode", "errorType", "statusCode", "httpStatus", "httpStatusCode"),
)
# The longest name that is looked at; a status written as text.
_LONGEST = 64
_STATUS = re.compile(r"(?:http[ _/-]?)?([0-9]{3})(?:[ :_-].*)?", re.IGNORECASE | re.ASCII)
# With a text under one of the first, and without all of the second, a document holds no answer, or a part of one.
_TEXTS = ("message", "msg", "detail")
_ANSWERS = frozenset({"candidates", "choices", "content", "data", "delta", "item", "object", "output", "response"})


class Complaint(NamedTuple):
    """An overload that an error speaks of: by which `code`, and whether that is one of a key's quota."""

    code: str
    quota: bool


def is_error(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is an error, or holds one."""
    return bool(
        document.get("error")
        or document.get("errors")
        or document.get("type") in ("error", "response.failed")
        or document.get("object") == "error"
        or any(choice.get("error") or choice.get("finish_reason") == "error" for choice in _choices(document))
        or _is_bare(document)
    )


def is_exhausted(document: Mapping[str, Any]) -> bool:
    """Tell whether an error says that waiting never helps."""
    return any(isinstance(code, str) and code in _EXHAUSTED for code in _codes(document))


def overload(document: Mapping[str, Any]) -> Complaint | None:
    """Return the first code in an error that speaks of overload, None without one."""
    return next(filter(None, map(_judged, _codes(document))), None)


def _is_bare(document: Mapping[str, Any]) -> bool:
    """Tell whether this speaks of overload in the place of an answer, and not under `error`."""
    return (
        any(isinstance(document.get(key), str) for key in _TEXTS)
        and _ANSWERS.isdisjoint(document)
        and any(_judged(document.get(key)) for key in _KEYS)
    )


def _judged(code: object) -> Complaint | None:
    if isinstance(code, str):
        code = code.strip()
        if len(code) > _LONGEST or not (code.isascii() and code.isprintable()):
            return None
        if not (status := _STATUS.fullmatch(code)):
            return _named(code)
        code = int(status[1])
    if isinstance(code, int | float) and code in OVERLOAD_STATUSES:
        return Complaint(f"{code:.0f}", code == TOO_MANY_REQUESTS)
    return None


def _named(code: str) -> Complaint | None:
    name = "".join(filter(str.isalnum, code.lower())).removesuffix("error").removesuffix("exception")
    one_word = " " not in code
    quota = name in _QUOTA or (one_word and any(part in name for part in _IN_QUOTA))
    if quota or name in _OVERLOAD or (one_word and any(part in name for part in _IN_OVERLOAD)):
        return Complaint(code, quota)
    return None


def _codes(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield all that may be the code of an error, in any of the dialects."""
    for place in (document, _object(document, "response"), *_choices(document)):
        error = _object(place, "error") or _object(place, "errors")
        inner = (_object(error, key) for key in ("error", "details", "metadata"))
        for holder in (place, error, *inner):
            for key in _KEYS:
                if key in holder:
                    yield holder[key]
        if not error:
            yield place.get("error")


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key, or the first in a list there."""
    found = document.get(key)
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, dict) else {}


def _choices(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the choices of a chat completion, or of a chunk of one."""
    choices = document.get("choices")
    return (choice for choice in choices if isinstance(choice, dict)) if isinstance(choices, list) else iter(())
