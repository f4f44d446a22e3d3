"""Scripted responses to the next requests, first in, first out."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aibridge_trio.mock.json_fields import ControlError, check, count, number, parsed, text
from aibridge_trio.mock.turn import verbatim

if TYPE_CHECKING:
    from aibridge_trio.mock.json_fields import Fields

_FAULTS = ("reset", "truncate", "stall", "error_event")
# The shapes of an error event in Responses.
_SHAPES = ("error", "nested", "response.failed")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, token
_VALUE = re.compile(r"[\t -~\x80-\xff]*")


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

    @property
    def names(self) -> frozenset[bytes]:
        """The headers that it sets or leaves out, in lower case."""
        return frozenset(name.lower().encode() for name in self.headers)


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
        """Append the responses of a JSON document. Raises ControlError, and then appends none."""
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
    script = parsed(document)
    if not (isinstance(script, dict) and isinstance(script.get("answers"), list)):
        raise ControlError('a script looks like {"answers": [ANSWER, …]}')
    if unknown := sorted(set(script) - {"answers"}):
        raise ControlError(f"unknown field {', '.join(unknown)}; known: answers")
    return [_scripted(f"answers[{n}]", answer) for n, answer in enumerate(script["answers"])]


def _scripted(where: str, answer: Any) -> Scripted:
    check(where, answer, _FIELDS)
    if "chunks" in answer:
        answer = {**answer, "chunks": tuple(answer["chunks"])}
    return Scripted(**answer)


def _sendable(value: Any) -> bool:
    try:
        verbatim(value)
    except UnicodeEncodeError:
        return False
    return True


def _body(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or _sendable(value))


def _chunks(value: Any) -> bool:
    return isinstance(value, list) and all(text(chunk) and _sendable(chunk) for chunk in value)


def _headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _NAME.fullmatch(name) and (said is None or (text(said) and _VALUE.fullmatch(said)))
        for name, said in value.items()
    )


_FIELDS: Fields = {
    "status": (count(200, 600), "a status of 200 … 599"),
    "headers": (_headers, "an object of header names and values (null leaves one out)"),
    "body": (_body, "a string or a JSON value"),
    "chunks": (_chunks, "a list of strings"),
    "chunk_delay": (number, "a number of seconds"),
    "delay": (number, "a number of seconds"),
    "tokens": (count(0), "a count"),
    "fault": (_FAULTS.__contains__, f"one of {', '.join(_FAULTS)}"),
    "after": (count(0), "a count"),
    "error": (text, "an error's code"),
    "error_as": (_SHAPES.__contains__, f"one of {', '.join(_SHAPES)}"),
    "times": (count(1), "a count of 1 or more"),
    "path": (text, "the end of a path"),
}
