"""Scripted responses to the next requests, first in, first out."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aibridge_trio.mock.turn import verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

_FAULTS = ("reset", "truncate", "stall", "error_event")
# The shapes of an error event in Responses.
_SHAPES = ("error", "nested", "response.failed")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, token
_VALUE = re.compile(r"[\t -~\x80-\xff]*")


class ScriptError(ValueError):
    """The script is invalid; `str()` is one line that says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """How one response differs from the usual one; None leaves a field as it is. In seconds and counts."""

    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = None
    chunks: tuple[str, ...] | None = None
    chunk_delay: float = 0.0
    delay: float = 0.0
    tokens: int | None = None
    fault: str | None = None
    after: int = 1
    error: str | None = None
    error_as: str | None = None
    times: int = 1
    path: str | None = None


UNSCRIPTED = Scripted()


class Script:
    """The queue of scripted responses."""

    def __init__(self) -> None:
        self._queue: deque[Scripted] = deque()

    @property
    def left(self) -> int:
        """How many responses are left."""
        return sum(scripted.times for scripted in self._queue)

    def extend(self, document: bytes) -> None:
        """Append the responses of a JSON document. Raises ScriptError, and then appends none."""
        self._queue.extend(_parse(document))

    def clear(self) -> None:
        """Remove the responses that are left."""
        self._queue.clear()

    def take(self, path: str) -> Scripted | None:
        """Remove and return the first response for this path, None without one."""
        for place, scripted in enumerate(self._queue):
            if scripted.path is None or path.endswith(scripted.path):
                if scripted.times > 1:
                    self._queue[place] = replace(scripted, times=scripted.times - 1)
                else:
                    del self._queue[place]
                return scripted
        return None


def _parse(document: bytes) -> list[Scripted]:
    try:
        script = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"not JSON: {error}") from None
    if not (isinstance(script, dict) and isinstance(script.get("answers"), list)):
        raise ScriptError('a script looks like {"answers": [ANSWER, …]}')
    if unknown := sorted(set(script) - {"answers"}):
        raise ScriptError(f"unknown field {', '.join(unknown)}; known: answers")
    return [_scripted(f"answers[{n}]", answer) for n, answer in enumerate(script["answers"])]


def _scripted(where: str, answer: Any) -> Scripted:
    if not isinstance(answer, dict):
        raise ScriptError(f"{where}: an object is wanted")
    if unknown := sorted(set(answer) - set(_FIELDS)):
        raise ScriptError(f"{where}: unknown field {', '.join(unknown)}; known: {', '.join(_FIELDS)}")
    for name, value in answer.items():
        fits, wanted = _FIELDS[name]
        if not fits(value):
            raise ScriptError(f"{where}.{name}: {wanted} is wanted")
    if "chunks" in answer:
        answer = {**answer, "chunks": tuple(answer["chunks"])}
    return Scripted(**answer)


def _count(at_least: int, below: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and at_least <= value < below


def _seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _sendable(value: Any) -> bool:
    try:
        verbatim(value)
    except UnicodeEncodeError:
        return False
    return True


def _body(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or _sendable(value))


def _chunks(value: Any) -> bool:
    return isinstance(value, list) and all(_text(chunk) and _sendable(chunk) for chunk in value)


def _headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _NAME.fullmatch(name) and (text is None or (_text(text) and _VALUE.fullmatch(text)))
        for name, text in value.items()
    )


# field → whether a value is valid, and what is expected
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "status": (_count(200, 600), "a status of 200 … 599"),
    "headers": (_headers, "an object of header names and values (null leaves one out)"),
    "body": (_body, "a string or a JSON value"),
    "chunks": (_chunks, "a list of strings"),
    "chunk_delay": (_seconds, "a number of seconds"),
    "delay": (_seconds, "a number of seconds"),
    "tokens": (_count(0), "a count"),
    "fault": (_FAULTS.__contains__, f"one of {', '.join(_FAULTS)}"),
    "after": (_count(0), "a count"),
    "error": (_text, "an error's code"),
    "error_as": (_SHAPES.__contains__, f"one of {', '.join(_SHAPES)}"),
    "times": (_count(1), "a count of 1 or more"),
    "path": (_text, "the end of a path"),
}
