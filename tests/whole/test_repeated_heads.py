"""Connections that repeat heads, with a change here and there: what is remembered changes no answer."""

from __future__ import annotations

import json
from random import Random

import h11
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.http.message import Reply, Request
from aibridge_trio.http.response_parser import LAST_CHUNK, chunk
from tests.support.known_callers import DEV, KNOWN, LIMITED, REVOKED
from tests.support.network import Network

LINES = (
    b"Host: bridge",
    b"X-A: 1",
    b"X-B: 2",
    b"Authorization: Bearer %s" % DEV.encode(),
    b"X-Api-Key: sk-own-0123456789abcdef",
    b"Accept: */*",
)
# What replaces or joins a line.
OTHERS = (
    *(b"Authorization: Bearer " + token.encode() for token in (LIMITED, REVOKED)),
    *(
        b"X-Api-Key: sk-own-another-0123456",
        b"X-A: 1",
        b"X-A: 3",
        b"x-a: 1",
        b"Connection: X-A",
        b"Connection: x-b",
    ),
    *(b"Origin: https://page.example", b"Upgrade: websocket", b"X-AIBridge-Hops: a, b", b"Expect: 100-continue"),
    *(b"Content-Encoding: identity", b"X-Request-Id: mine", b"X-Request-Id: other", b"X-AIBridge-Token: x"),
    b"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01",
    *(
        b"X-Forwarded-For: 203.0.113.7",
        b"User-Agent: codex/1.0",
        b"User-Agent: claude-cli/2.0",
        b"Accept: text/html",
    ),
)
TARGETS = (
    b"/openai/v1/chat/completions",
    b"/anthropic/v1/messages",
    b"/openai/v1/chat/completions?x=1",
    b"/nowhere",
)
CONVERSATIONS = 40
# Status, reject, and what the provider got.
Answer = tuple[int, bytes | None, bytes]


async def echo(request: Request, reply: Reply) -> None:
    """Answer with what came."""
    body = b""
    async for piece in request.body:
        body += piece
    ours = {b"x-aibridge-hops", b"host"}
    headers = [[each.decode() for each in header] for header in request.headers if header[0] not in ours]
    headers = [header for header in headers if not header[1].startswith("req_")]  # an id that the bridge made
    said = [request.method, request.path.decode(), request.query.decode(), headers, body.decode()]
    await reply.answer(200, [(b"content-type", b"application/json")], json.dumps(said).encode())


def conversation(draw: Random) -> list[bytes]:
    """Requests of one connection: most repeat the head before them."""
    lines, target, method = list(LINES), TARGETS[0], b"POST"
    requests = []
    for _ in range(draw.randrange(2, 10)):
        match draw.choice(("same", "same", "same", "line", "more", "less", "target", "back", "order", "method")):
            case "line":
                lines[draw.randrange(1, len(lines))] = draw.choice(OTHERS)
            case "more":
                lines.insert(draw.randrange(1, len(lines)), draw.choice(OTHERS))
            case "less" if len(lines) > 3:
                del lines[draw.randrange(1, len(lines))]
            case "target":
                target = draw.choice(TARGETS)
            case "back":
                lines, target, method = list(LINES), TARGETS[0], b"POST"
            case "order":
                draw.shuffle(lines)
            case "method":
                method = draw.choice((b"GET", b"POST"))
        version, framed = b"1.%d" % (draw.random() > 0.03), draw.choice((b"sized", b"sized", b"sized", b"chunked"))
        body = (
            b'{"model": "gpt-5", "pad": "%s"}' % (b"x" * draw.choice((0, 0, 1, 100, 3000)))
            if method == b"POST"
            else b""
        )
        length = [b"Content-Length: %d" % len(body)] if body else []
        if body and framed == b"chunked" and version == b"1.1":
            length, body = [b"Transfer-Encoding: chunked"], chunk(body[:20]) + chunk(body[20:]) + LAST_CHUNK
        start = b"%b %b HTTP/%b\r\n" % (method, target, version)
        requests.append(start + b"\r\n".join([*lines, *length]) + b"\r\n\r\n" + body)
    return requests


async def told(
    network: Network, requests: list[bytes], *, pipelined: bool, cut: Random | None = None
) -> list[Answer]:
    """Send these on one connection; return the answers, up to the connection's end.

    With `cut` some come in pieces.
    """
    number = len(network.dialled)
    stream = network.dial("bridge", f"10.1.{number // 250}.{number % 250}")
    answers, rest, last = list[Answer](), b"", False
    if pipelined:
        await stream.send_all(b"".join(requests))
    for request in requests:
        if not pipelined:
            at = cut.randrange(len(request)) if cut and cut.random() < 0.3 else 0
            await stream.send_all(request[:at])
            await wait_all_tasks_blocked()
            await stream.send_all(request[at:])
        answer, rest, last = await heard(stream, request.split()[0], rest)
        answers.append(answer)
        if last:
            break
    await stream.aclose()
    return answers


async def heard(stream: trio.abc.Stream, method: bytes, rest: bytes) -> tuple[Answer, bytes, bool]:
    """Read an answer; return it, what stands behind it, and whether it is the last one."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("host", "b")]))
    if rest:
        parser.receive_data(rest)
    status, body, headers = 0, b"", dict[bytes, bytes]()
    while not isinstance(event := parser.next_event(), h11.EndOfMessage):
        match event:
            case h11.Response():
                status, headers = event.status_code, dict(event.headers)
            case h11.Data():
                body += event.data
            case _ if event is h11.NEED_DATA:
                parser.receive_data(bytes(await stream.receive_some(65536)))
    reject = headers.get(b"x-aibridge-reject")
    if reject == b"unknown_caller":
        status = 401  # or 429, when there were several
    answer = (status, reject, b"" if reject else body)
    return answer, bytes(parser.trailing_data[0]), headers.get(b"connection") == b"close"


@pytest.mark.parametrize("pipelined", [False, True])
async def test_an_answer_is_that_of_a_connection_of_its_own(
    autojump_clock: MockClock, network: Network, pipelined: bool
) -> None:
    """Status, reject, and what the provider got: headers, credential, target and body."""
    for provider in ("openai", "anthropic"):
        await network.answer(provider, echo)
    seen = set[int]()
    async with network.bridge(known_callers=KNOWN):
        for seed in range(CONVERSATIONS):
            requests = conversation(Random(seed))
            together = await told(network, requests, pipelined=pipelined, cut=Random(seed))
            alone = [(await told(network, [request], pipelined=False))[0] for request in requests]
            assert together == alone[: len(together)], seed
            seen |= {status for status, *_ in together}
    assert {200, 404} <= seen
