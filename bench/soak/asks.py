"""What callers do, drawn beforehand: the same for the same seed and number, whatever time it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Literal

Where = Literal["head", "upload", "wait", "answer"]
What = Literal["leaves", "resets", "stalls", "finishes"]

PROVIDERS = ("openai", "anthropic", "copilot")
# Longer bodies are refused: `--max-body` of the bridge under test.
MAX_BODY = 128 * 1024
_POSTS = (
    b"/openai/v1/chat/completions",
    b"/openai/v1/responses",
    b"/openai/v1/embeddings",
    b"/anthropic/v1/messages",
    b"/anthropic/v1/messages",
    b"/copilot/chat/completions",
)
_MODELS = ("m", "m", "new-1", "new-2", "old")
_GETS = (b"/openai/v1/models", b"/anthropic/v1/models/x", b"/copilot/models?x=y")
_BY_ITSELF = (b"/", b"/openai/v1", b"/nowhere", b"/openai/v1/../admin", b"/openai/v1/evals")
_MALFORMED = (
    b"host: again\r\n",
    b"content-length: 1\r\ncontent-length: 2\r\n",
    b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
    b"a b: c\r\n",
    b"x: a\0b\r\n",
    b" folded\r\n",
    b"x: " + b"y" * 70_000 + b"\r\n",
    b"upgrade: websocket\r\nconnection: upgrade\r\n",
)
_AGENTS = (b"claude-cli/2.1", b"codex/0.50", b"OpenAI/Python 3.54", b"curl/8.5")
# A few who come again and again run into their rate limit; all others come once in the life of the bridge, so
# that whatever is kept of a caller adds up.
_REGULARS = 12


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as it goes out: the head, the framed body, and what has to be known to read its answer."""

    id: bytes
    head: bytes
    body: bytes = b""
    to_head: bool = False
    expects: bool = False
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What a caller does behind the `part`-th part of something, or after so many `seconds`."""

    where: Where
    what: What
    part: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One connection: from which address, for which requests, and what its last one runs into."""

    address: str
    asks: tuple[Ask, ...]
    pipelined: bool
    fault: Fault | None


def visit(seed: int, number: int) -> Visit:
    """Draw the visit with this number."""
    draw = Random(f"{seed} {number}")
    pipelined = draw.random() < 0.15
    count = draw.choice((2, 3, 5)) if pipelined else draw.choice((1, 1, 1, 2, 3, 6))
    return Visit(
        # All of 127.0.0.0/8 is this machine: callers without a credential are distinguished by their address.
        address=f"127.0.0.{draw.randrange(2, 250)}",
        asks=tuple(_ask(draw, b"soak-%d-%d" % (number, each), small=pipelined) for each in range(count)),
        pipelined=pipelined,
        fault=_fault(draw) if draw.random() < 0.3 else None,
    )


def number_of(request_id: bytes) -> int:
    """Return the number of the visit to which a request belongs, -1 for one that belongs to none."""
    prefix, _, rest = request_id.partition(b"-")
    return int(rest.partition(b"-")[0]) if prefix == b"soak" else -1


def _fault(draw: Random) -> Fault:
    return Fault(
        where=draw.choice(("head", "upload", "wait", "answer", "answer")),
        what=draw.choice(("leaves", "leaves", "resets", "resets", "stalls", "finishes")),
        part=draw.random(),
        # The longest delay exceeds the bridge's timeouts for providers.
        seconds=draw.choice((0.02, 0.02, 0.2, 0.2, 2.0)) * draw.random(),
    )


def _ask(draw: Random, request_id: bytes, *, small: bool) -> Ask:
    method, target, body = b"GET", draw.choice(_GETS), b""
    kind = draw.random()
    if kind < 0.75:
        method, target = b"POST", draw.choice(_POSTS)
        # Now and then one that is too long.
        most = 4_000 if small or draw.random() < 0.8 else MAX_BODY * 2
        body = json.dumps(
            {"model": draw.choice(_MODELS), "stream": True, "pad": "x" * int(most ** draw.random())}
        ).encode()
    elif kind < 0.8:
        method = b"HEAD"
    elif kind < 0.88:
        target = draw.choice(_BY_ITSELF)
    malformed = draw.random() < 0.02
    expects = bool(body) and not small and draw.random() < 0.05
    lines = [b"host: localhost", b"x-request-id: " + request_id, b"user-agent: " + draw.choice(_AGENTS)]
    lines += _credential(draw)
    framed = body
    if expects:
        lines.append(b"expect: 100-continue")
    if body and draw.random() < 0.7:
        lines.append(b"content-length: %d" % len(body))
    elif body:
        lines.append(b"transfer-encoding: chunked")
        framed = chunked(body, draw.randrange(1, 6))
    head = b"%s %s HTTP/1.1\r\n" % (method, target) + b"".join(b"%s\r\n" % line for line in lines)
    head += (draw.choice(_MALFORMED) if malformed else b"") + b"\r\n"
    return Ask(request_id, head, framed, method == b"HEAD", expects, malformed)


def _credential(draw: Random) -> list[bytes]:
    kind = draw.random()
    if kind < 0.3:
        return [b"authorization: Bearer sk-soak-regular-%d" % draw.randrange(_REGULARS)]
    if kind < 0.7:
        return [b"authorization: Bearer sk-soak-%x" % draw.getrandbits(96)]
    if kind < 0.9:
        return [b"x-api-key: sk-ant-soak-%x" % draw.getrandbits(96)]
    # None, a scheme that is no bearer's, or one that is refused.
    return draw.choice(([], [], [], [b"authorization: Basic eA=="], [b"authorization: Bearer "], [b"x-api-key: "]))


def chunked(body: bytes, pieces: int) -> bytes:
    """Frame a body in so many chunks."""
    step = max(1, -(-len(body) // pieces))
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
