"""One turn of a conversation: the request and the response to be, independent of the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, NamedTuple

Json = dict[str, Any]

_TEXT = "This is a mock: it says the same words, in the same order, to everyone who asks."
# How many characters of a tool's arguments go into one event; a token is about four.
_FRAGMENT = 4


class Event(NamedTuple):
    """A server-sent event, and how many words of the response it carries, for pacing."""

    data: bytes
    words: int = 0


class Call(NamedTuple):
    """A tool and its arguments as JSON text."""

    tool: str
    arguments: str

    def fragments(self) -> Iterator[str]:
        """Yield the arguments in the pieces in which a model would write them."""
        yield from _fragments(self.arguments)


def words_in(text: str) -> int:
    """Return the number of words (tokens) of a JSON text."""
    return -(-len(text) // _FRAGMENT)


def _fragments(text: str) -> Iterator[str]:
    for start in range(0, len(text), _FRAGMENT):
        yield text[start : start + _FRAGMENT]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request and its response to be.

    `serial` numbers the requests and makes every id; `created` is in Unix seconds; `output_tokens` counts
    the words of the response, which are `structured` where the request demands JSON.
    """

    request: Json
    serial: int
    created: int
    input_tokens: int
    output_tokens: int
    call: Call | None = None
    structured: str | None = None

    @property
    def model(self) -> str:
        """The requested model; the mock accepts any name."""
        return str(self.request.get("model", "mock"))

    @property
    def words(self) -> list[str]:
        """The response in tokens: words with the space before them; or its JSON in fragments."""
        if self.structured is not None:
            return list(_fragments(self.structured))
        return [
            word if n == 0 else f" {word}"
            for n, word in enumerate(islice(cycle(_TEXT.split()), self.output_tokens))
        ]

    @property
    def text(self) -> str:
        """The whole text of the response."""
        return "".join(self.words)

    def id(self, prefix: str) -> str:
        """Return this turn's id of one kind: `chatcmpl-mock000007`."""
        return f"{prefix}mock{self.serial:06}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The shapes of one API.

    `needs` are the fields that a request must have; `whole` is the unary response, `events` the streamed one.
    `broken` is the error event for a code, after so many events; its last argument asks for another shape.
    `choose` reads off which tool the request forces, "" for any, None for no tool.
    """

    needs: tuple[str, ...]
    whole: Callable[[Turn], Json]
    events: Callable[[Turn], Iterator[Event]]
    broken: Callable[[Turn, str, int, str | None], bytes]
    tools: Callable[[Json], dict[str, Json]]
    choose: Callable[[Json], str | None]


def encode(document: Any) -> bytes:
    """Return compact JSON, as providers send it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def verbatim(text: str) -> bytes:
    """Encode a script's text in UTF-8; U+DC80 … U+DCFF become the bytes 80 … FF."""
    return text.encode(errors="surrogateescape")


def sse(document: Json, *, named: bool = True) -> bytes:
    """Return a server-sent event; a named one has its document's type as its name."""
    name = b"event: %s\n" % document["type"].encode() if named else b""
    return b"%sdata: %s\n\n" % (name, encode(document))
