"""Requests of callers: some right, some not, and connections whose requests repeat a head, as SDKs do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from random import Random

import trio

from aibridge_trio.http.response_parser import LAST_CHUNK, chunk
from tests.support.peers import Asked, Fault, Ledger, Peer

MAX_BODY = 150_000
_POSTS = (
    b"/openai/v1/chat/completions",
    b"/openai/v1/embeddings",
    b"/anthropic/v1/messages",
    b"/copilot/responses",
)
_GETS = (b"/openai/v1/models", b"/anthropic/v1/models/x", b"/copilot/models?x=y")
BY_ITSELF = (b"/", b"/openai/v1", b"/nowhere", b"/openai/v1/../admin", b"/openai/v1/nowhere")
_MALFORMED = (
    b"host: x\r\n",
    b"content-length: 1\r\ncontent-length: 2\r\n",
    b"a b: c\r\n",
    b"x: a\0b\r\n",
    b" folded\r\n",
)
_LENGTHS = (1, 30, 300, 3000, 30_000)


@dataclass
class Ask:
    """One request: what goes out, and what may come back.

    `shown` is the x-request-id that it is sent with, None without one; requests with the same head share it.
    """

    id: bytes
    shown: bytes | None
    method: bytes
    target: bytes
    head: bytes
    wire: bytes
    expects: bool = False
    malformed: bool = False
    fault: Fault | None = None
    too_long: bool = False
    in_one: bool = False  # head and body are sent together, without a fault
    invited: trio.Event = field(default_factory=trio.Event)  # to send its body, or its answer has begun
    refused: bool = False
    answered: trio.Event = field(default_factory=trio.Event)
    peer: Peer = field(init=False)


@dataclass(frozen=True)
class _Sdk:
    """What a caller that repeats its head sends each time; `size` of the body, in bytes, is the least."""

    shown: bytes | None
    target: bytes
    key: bytes
    marks: tuple[bytes, ...]  # lines
    hop: bytes  # what Connection names, if anything
    size: int

    def varied(self, draw: Random) -> _Sdk:
        """Return the next one: most are the same."""
        match draw.choice(("same", "same", "same", "length", "length", "key", "mark", "hop", "target")):
            case "length":
                return replace(self, size=draw.choice(_LENGTHS))
            case "key":
                return replace(self, key=_key(draw))
            case "mark":
                return replace(self, marks=_marks(draw))
            case "hop":
                return replace(self, hop=draw.choice((b"", b"x-mark", b"keep-alive, X-Mark", b"x-other")))
            case "target":
                return replace(self, target=draw.choice(_POSTS))
        return self


def _key(draw: Random) -> bytes:
    return b"Bearer key-%d" % draw.randrange(20)


def _marks(draw: Random) -> tuple[bytes, ...]:
    return tuple(draw.choice((b"1", b"2", b"3")) for _ in range(draw.choice((0, 1, 1, 2))))


class FaultyRequests:
    """Draws them; each is in the ledger before it is sent."""

    def __init__(self, ledger: Ledger, draw: Random) -> None:
        self._ledger = ledger
        self._draw = draw
        self._made = 0

    def conversation(self, most: int) -> list[Ask]:
        """Return the requests of one connection, at most so many: on most it repeats its head."""
        draw = self._draw
        if draw.random() < 0.35:
            return [self._any() for _ in range(min(most, draw.choice((1, 1, 1, 2, 3, 5))))]
        sdk = _Sdk(
            shown=draw.choice((None, b"shared-%d" % self._made, b"shared-%d" % self._made)),
            target=draw.choice(_POSTS),
            key=_key(draw),
            marks=_marks(draw),
            hop=b"",
            size=draw.choice(_LENGTHS),
        )
        asks = list[Ask]()
        for _ in range(min(most, draw.choice((2, 4, 6, 9, 12)))):
            asks.append(self._any() if asks and draw.random() < 0.05 else self._repeated(sdk))
            sdk = sdk.varied(draw)
        return asks

    def _repeated(self, sdk: _Sdk) -> Ask:
        draw = self._draw
        request_id, body = self._body(sdk.size)
        headers = [(b"authorization", sdk.key), *((b"x-mark", mark) for mark in sdk.marks)]
        lines = [b"host: b", *(b"%s: %s" % header for header in headers), b"x-other: 1"]
        lines += [b"connection: " + sdk.hop] * bool(sdk.hop) + [b"content-length: %d" % len(body)]
        lines += [b"x-request-id: %s" % sdk.shown] if sdk.shown else []
        fault = Fault.drawn(draw, 20_000) if draw.random() < 0.08 else None
        arrives = [header for header in headers if header[0] not in sdk.hop.lower()]
        self._ledger.asked[request_id] = Asked(body, sdk.target, arrives)
        return Ask(
            id=request_id,
            shown=sdk.shown,
            method=b"POST",
            target=sdk.target,
            head=b"POST %s HTTP/1.1\r\n%s\r\n\r\n" % (sdk.target, b"\r\n".join(lines)),
            wire=body,
            fault=fault,
            too_long=len(body) > MAX_BODY,
            in_one=fault is None and draw.random() < 0.6,
        )

    def _body(self, size: int) -> tuple[bytes, bytes]:
        """Return a new id and a body that begins with it, of about this size: equal ones of equal ids' lengths."""
        self._made += 1
        request_id = b"%d" % self._made
        body = json.dumps({"id": request_id.decode(), "model": "m", "pad": "x" * size})
        return request_id, body.ljust(size + 60).encode()

    def _any(self) -> Ask:
        draw = self._draw
        method, target, body = b"GET", draw.choice(_GETS), b""
        kind = draw.random()
        request_id, posted = self._body(int(250_000 ** draw.random()))
        if kind < 0.6:
            method, target, body = b"POST", draw.choice(_POSTS), posted
        elif kind < 0.65:
            method = b"HEAD"
        elif kind < 0.75:
            target = draw.choice(BY_ITSELF)
        old = draw.random() < 0.03
        malformed = draw.random() < 0.02
        expects = bool(body) and not old and draw.random() < 0.1
        key = _key(draw)
        lines = [b"host: b", b"x-request-id: " + request_id, b"authorization: " + key]
        wire = body
        if expects:
            lines.append(b"expect: 100-continue")
        if body and (old or draw.random() < 0.5):
            lines.append(b"content-length: %d" % len(body))
        elif body:
            lines.append(b"transfer-encoding: chunked")
            step = max(1, len(body) // draw.randrange(1, 10))
            wire = b"".join(chunk(body[at : at + step]) for at in range(0, len(body), step)) + LAST_CHUNK
        head = b"%s %s HTTP/1.%d\r\n" % (method, target, not old)
        head += b"".join(b"%s\r\n" % line for line in lines) + (draw.choice(_MALFORMED) if malformed else b"")
        self._ledger.asked[request_id] = Asked(body, target, [(b"authorization", key)])
        return Ask(
            id=request_id,
            shown=request_id,
            method=method,
            target=target,
            head=head + b"\r\n",
            wire=wire,
            expects=expects,
            malformed=malformed,
            fault=Fault.drawn(draw, 20_000) if draw.random() < 0.2 else None,
            too_long=len(body) > MAX_BODY,
        )
