"""What providers answer, drawn from the seed and the request's id: the same request meets the same answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from bench.soak.asks import PROVIDERS, number_of

Framing = Literal["length", "chunks", "close"]
Trouble = Literal[
    "closes unheard",
    "resets",
    "is silent",
    "half a head",
    "nonsense",
    "truncates",
    "resets in the body",
    "is silent in the body",
    "leaves",
    "talks on",
]

# What comes in place of an answer, in the middle of one, and behind one, where it disturbs the next request.
INSTEAD: tuple[Trouble, ...] = ("closes unheard", "resets", "is silent", "half a head", "nonsense")
WITHIN: tuple[Trouble, ...] = ("truncates", "resets in the body", "is silent in the body")
BEHIND: tuple[Trouble, ...] = ("leaves", "talks on")
_PHRASES = {200: b"OK", 429: b"Too Many Requests", 503: b"Service Unavailable", 529: b"Overloaded"}
NONSENSE = (
    b"",
    bytes(range(256)),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
    b"HTTP/1.1 200 OK\r\n" + b"x: %s\r\n" % (b"y" * 1000) * 80,
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
)
_OVERLOADS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "openai": ("", {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}),
    "anthropic": ("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "copilot": ("", {"error": {"code": "server_is_overloaded", "message": "slow down"}}),
}
# Every so many visits each provider is overloaded once, for so many of them: enough to open its breaker.
_SEASON = 3_000
_OVERLOADED_FOR = 150


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `delay` before the head, `pause` between the `pieces`, and the `trouble` with it."""

    status: int = 200
    fields: bytes = b""
    framing: Framing = "length"
    pieces: tuple[bytes, ...] = (b"{}",)
    delay: float = 0.0
    pause: float = 0.0
    early: bool = False
    interim: bytes = b""
    trouble: Trouble | None = None
    nonsense: bytes = b""

    @property
    def length(self) -> int:
        """The length of the body."""
        return sum(map(len, self.pieces))

    def head(self) -> bytes:
        """The head as it goes out."""
        line = b"HTTP/1.1 %d %s\r\n" % (self.status, _PHRASES.get(self.status, b"Whatever"))
        framing = {"length": b"content-length: %d\r\n" % self.length, "chunks": b"transfer-encoding: chunked\r\n"}
        return line + self.fields + framing.get(self.framing, b"") + b"\r\n"


def answer(seed: int, provider: str, request_id: bytes) -> Answer:
    """Draw the answer to a request. A request from another program gets a plain answer and a close."""
    number = number_of(request_id)
    if number < 0:
        return Answer(fields=b"connection: close\r\n")
    draw = Random(f"{seed} {request_id.decode()}")
    status = _status(draw, overloaded=overloaded(provider, number))
    streamed = status == 200 and draw.random() < 0.5
    trouble = draw.choice((*INSTEAD, *WITHIN, *WITHIN, *BEHIND, *BEHIND)) if draw.random() < 0.08 else None
    interim = (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")
    return Answer(
        status=status,
        fields=_fields(draw, status, streamed=streamed),
        framing=draw.choice(
            ("chunks", "chunks", "close") if streamed else ("length", "length", "chunks", "close")
        ),
        pieces=_stream(draw, provider, request_id) if streamed else _unary(draw, status, request_id),
        delay=draw.choice((0.0, 0.0, 0.0, 0.01, 0.1)) * draw.random() if draw.random() < 0.98 else 0.8,
        pause=draw.choice((0.0, 0.0, 0.002, 0.02)),
        early=draw.random() < 0.08,
        interim=draw.choice(interim) if draw.random() < 0.05 else b"",
        trouble=trouble,
        nonsense=draw.choice(NONSENSE) if trouble == "nonsense" else b"",
    )


def overloaded(provider: str, number: int) -> bool:
    """Tell whether a provider is overloaded when the visit with this number comes."""
    begins = (PROVIDERS.index(provider) + 1) * _SEASON // (len(PROVIDERS) + 1)
    return begins <= number % _SEASON < begins + _OVERLOADED_FOR


def _status(draw: Random, *, overloaded: bool) -> int:
    if overloaded and draw.random() < 0.9:
        return draw.choice((429, 503, 529))
    return draw.choice((*[200] * 45, 400, 401, 404, 500, 502, 429, 503, 529))


def _fields(draw: Random, status: int, *, streamed: bool) -> bytes:
    fields = b"content-type: %s\r\n" % (b"text/event-stream" if streamed else b"application/json")
    if status >= 429 and draw.random() < 0.5:
        fields += draw.choice((b"retry-after: 1\r\n", b"retry-after: 90\r\n", b"retry-after-ms: 300\r\n"))
    return fields


def _unary(draw: Random, status: int, request_id: bytes) -> tuple[bytes, ...]:
    document: dict[str, object] = {"id": request_id.decode(), "pad": "x" * int(60_000 ** draw.random())}
    if status >= 400:
        code = draw.choice(("insufficient_quota", "rate_limit_exceeded"))
        document = {"id": request_id.decode(), "error": {"code": code, "message": "no"}}
    else:
        document["usage"] = {"prompt_tokens": 9, "completion_tokens": 12}
    body = json.dumps(document).encode()
    half = len(body) // 2
    return (body[:half], body[half:]) if draw.random() < 0.3 else (body,)


def _stream(draw: Random, provider: str, request_id: bytes) -> tuple[bytes, ...]:
    """Events of that provider's dialect, sometimes with word of an overload, sometimes without an end."""
    text = "x" * int(2_000 ** draw.random())
    name = ""
    document: dict[str, object] = {"id": request_id.decode(), "choices": [{"delta": {"content": text}}]}
    if provider == "anthropic":
        delta = {"type": "text_delta", "text": text}
        name = "content_block_delta"
        document = {"type": name, "index": 0, "delta": delta, "id": request_id.decode()}
    events = [_event(name, document)] * int(30 ** draw.random())
    if draw.random() < 0.04:
        # Before any content, or in the middle.
        events.insert(draw.choice((0, len(events))), _event(*_OVERLOADS[provider]))
    if draw.random() < 0.9:
        events.append(_event("message_stop", {"type": "message_stop"}) if name else b"data: [DONE]\n\n")
    return tuple(events)


def _event(name: str, document: Mapping[str, object]) -> bytes:
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: %s\n\n" % json.dumps(document).encode()
