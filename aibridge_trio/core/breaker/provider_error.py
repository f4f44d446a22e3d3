"""Error objects in bodies: whether one means an overload, a key's quota, an exhausted account, or something else.

Once an answer has begun, its status cannot change: providers then put the error into the body, in many shapes. The
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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

OVERLOAD_STATUSES = frozenset({429, 503, 529})
TOO_MANY_REQUESTS = 429

# Names are compared in lower case, without the separators of words, and without a trailing `error` or `exception`.
# A single word that contains one of these parts is such a name as well.
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
# Names that mean the key's quota, as a 429 does, and not an overload of the provider for all keys.
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
# Codes of an account that has no credit left, or has reached a limit configured for it: waiting does not help, and
# the provider is healthy. Anthropic sends them in `error.details.error_code`.
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
# The keys under which a name or a status may be.
_KEYS = (
    *("code", "type", "status", "error_code", "error_type", "status_code", "http_code", "http_status"),
    *("http_status_code", "errorCode", "errorType", "statusCode", "httpStatus", "httpStatusCode"),
)
# The same, the most telling first; what is one of these says only that there is an error.
_TELLING = (
    "code",
    "error_code",
    "errorCode",
    *(key for key in _KEYS if key not in ("code", "error_code", "errorCode")),
)
_FRAMES = frozenset({"error", "response.failed", "failed"})
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
# The longest name that is examined; a status as text.
_LONGEST = 64
_STATUS = re.compile(r"(?:http[ _/-]?)?([0-9]{3})(?:[ :_-].*)?", re.IGNORECASE | re.ASCII)
# A duration in JSON: https://protobuf.dev/reference/protobuf/google.protobuf/#duration
_DELAY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s", re.ASCII)
_MOST_DETAILS = 20
# A document with a text under one of TEXTS and without any of _ANSWERS holds no answer and no part of one.
TEXTS = ("message", "msg", "detail")
_ANSWERS = frozenset({"candidates", "choices", "content", "data", "delta", "item", "object", "output", "response"})
# A document without any of these is no error, but for its `object` and its choices.
_SIGNS = frozenset({"error", "errors", "type", *TEXTS})


class OverloadReport(NamedTuple):
    """An overload that an error reports: its `code`, and whether that means the key's `quota`."""

    code: str
    quota: bool


def is_error(document: Mapping[str, Any]) -> bool:
    """Return whether a document is an error, or contains one."""
    if document.get("object") == "error":
        return True
    for choice in _choices(document):
        if choice.get("error") or choice.get("finish_reason") == "error":
            return True
    if _SIGNS.isdisjoint(document):  # as most answers are
        return False
    return bool(
        document.get("error")
        or document.get("errors")
        or document.get("type") in ("error", "response.failed")
        or _is_bare(document)
    )


def is_exhausted(document: Mapping[str, Any]) -> bool:
    """Return whether an error means an exhausted account: waiting does not help."""
    return any(isinstance(code, str) and code in _EXHAUSTED for code in _codes(document))


def overload(document: Mapping[str, Any]) -> OverloadReport | None:
    """Return the first code of an error that means overload, None without one."""
    return next(filter(None, map(_overload_code, _codes(document))), None)


def error_code(document: Mapping[str, Any]) -> str | None:
    """Return the most telling code of an error, for people: a name before a number, None without one.

    It has at most 64 letters, digits and `_.-`: what has more is a message.
    """
    levels = (document, _object(document, "response"), *_choices(document))
    errors = [error for level in levels if (error := _object(level, "error") or _object(level, "errors"))]
    inner = [_object(error, key) for error in errors for key in ("error", "details", "metadata")]
    values = [holder[key] for key in _TELLING for holder in (*errors, *inner) if key in holder]
    values += [document[key] for key in _TELLING if key in document]
    codes = [str(value) for value in values if type(value) in (str, int)]
    codes = [code for code in codes if _NAME.fullmatch(code) and code not in _FRAMES]
    return next((code for code in codes if not code.isdigit()), None) or next(iter(codes), None)


def retry_delay(document: Mapping[str, Any]) -> float | None:
    """Return the seconds after which an error asks to come back, None if it does not say.

    Google has no header for it, but `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"23.5s"}` in
    the error's `details`: https://google.aip.dev/193, https://github.com/googleapis/python-genai/issues/1875
    """
    details = _object(document, "error").get("details")
    if not isinstance(details, list):
        return None
    delays = [detail.get("retryDelay") for detail in details[:_MOST_DETAILS] if isinstance(detail, dict)]
    found = (_DELAY.fullmatch(delay) for delay in delays if isinstance(delay, str))
    return max((float(match[1]) for match in found if match), default=None)


def _is_bare(document: Mapping[str, Any]) -> bool:
    """Return whether the document reports an overload at its top, in place of an answer and without `error`."""
    return (
        any(isinstance(document.get(key), str) for key in TEXTS)
        and _ANSWERS.isdisjoint(document)
        and any(_overload_code(document.get(key)) for key in _KEYS)
    )


def _overload_code(code: object) -> OverloadReport | None:
    if isinstance(code, str):
        code = code.strip()
        if len(code) > _LONGEST or not (code.isascii() and code.isprintable()):
            return None
        if not (status := _STATUS.fullmatch(code)):
            return _by_name(code)
        code = int(status[1])
    if isinstance(code, int | float) and code in OVERLOAD_STATUSES:
        return OverloadReport(f"{code:.0f}", code == TOO_MANY_REQUESTS)
    return None


def _by_name(code: str) -> OverloadReport | None:
    name = "".join(filter(str.isalnum, code.lower())).removesuffix("error").removesuffix("exception")
    one_word = " " not in code
    quota = name in _QUOTA or (one_word and any(part in name for part in _IN_QUOTA))
    if quota or name in _OVERLOAD or (one_word and any(part in name for part in _IN_OVERLOAD)):
        return OverloadReport(code, quota)
    return None


def _codes(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield every value that may be the code of an error, in any of the dialects."""
    for level in (document, _object(document, "response"), *_choices(document)):
        error = _object(level, "error") or _object(level, "errors")
        inner = (_object(error, key) for key in ("error", "details", "metadata"))
        for holder in (level, error, *inner):
            for key in _KEYS:
                if key in holder:
                    yield holder[key]
        if not error:
            yield level.get("error")


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key, or the first of a list there; empty without one."""
    found = document.get(key)
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, dict) else {}


def _choices(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the choices of a chat completion or of one of its chunks."""
    choices = document.get("choices")
    return [choice for choice in choices if type(choice) is dict] if type(choices) is list else ()
