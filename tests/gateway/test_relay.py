"""The way back: bytes unchanged and as they come, verdict and usage read on the side."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, cast

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.events import Finished
from aibridge_trio.gateway.circuit import Attempt, Circuit
from aibridge_trio.gateway.relay import relay
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.providers import Route
from aibridge_trio.server.asgi import AsgiBody, AsgiReply, Message
from aibridge_trio.upstream.exchange import Response
from tests.support.network import Handler, Network

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


def stream(*events: tuple[str | None, Any]) -> bytes:
    """Write events as the providers do."""
    lines = []
    for name, document in events:
        data = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
        lines.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
    return "".join(lines).encode()


def named(*documents: dict[str, Any]) -> bytes:
    """Write events that are named by their type."""
    return stream(*((document["type"], document) for document in documents))


def chunk(delta: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Write one chunk of a chat completion; without a delta the last one, with the usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more}


CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 7,
    "total_tokens": 107,
    "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
CHAT = stream(
    (None, chunk({"role": "assistant", "content": ""}, usage=None)),
    (None, chunk({"content": "Grüße, 世界 🌍"}, usage=None)),
    (None, chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":"\\n\\n'}}]}, usage=None)),
    (None, chunk(None, usage=CHAT_USAGE)),
    (None, "[DONE]"),
)
RESPONSES_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 70,
}
RESPONSES = named(
    {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "usage": None}},
    {"type": "response.in_progress", "sequence_number": 1, "response": {"id": "resp_1", "usage": None}},
    {"type": "response.output_text.delta", "sequence_number": 2, "item_id": "msg_1", "delta": "Hi\r\n"},
    {
        "type": "response.completed",
        "sequence_number": 3,
        "response": {"id": "resp_1", "status": "completed", "error": None, "usage": RESPONSES_USAGE},
    },
)
MESSAGES = named(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "content": [],
            "usage": {
                "input_tokens": 25,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 5,
                "output_tokens": 1,
            },
        },
    },
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
)
# path, host, what a provider streams, what it used
DIALECTS = {
    "chat": ("/openai/v1/chat/completions", "openai", CHAT, Usage(60, 7, 40, 0)),
    "copilot": ("/copilot/chat/completions", "copilot", CHAT, Usage(60, 7, 40, 0)),
    "responses": ("/openai/v1/responses", "openai", RESPONSES, Usage(42, 20, 8, 0)),
    "messages": ("/anthropic/v1/messages", "anthropic", MESSAGES, Usage(25, 15, 5, 10)),
}
UNARY = {
    "chat": {"id": "chatcmpl-1", "choices": [{"message": {"content": "Hi"}}], "usage": CHAT_USAGE},
    "copilot": {"id": "chatcmpl-1", "choices": [{"message": {"content": "Hi"}}], "usage": CHAT_USAGE},
    "responses": {"id": "resp_1", "status": "completed", "error": None, "usage": RESPONSES_USAGE},
    "messages": {
        "type": "message",
        "usage": {
            "input_tokens": 25,
            "output_tokens": 15,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 10,
        },
    },
}
dialects = pytest.mark.parametrize("dialect", list(DIALECTS))


def saying(
    pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]], status: int = 200, pause: float = 0
) -> Handler:
    """Answer with these pieces, each a packet of its own, and that pause after each."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(status, headers)
        for piece in pieces:
            await reply.send(piece)
            await trio.sleep(pause)
        await reply.end()

    return handler


# Fidelity, through the whole path

VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "as recorded": lambda said: said,
    "CRLF": lambda said: said.replace(b"\n", b"\r\n"),
    "lone CR": lambda said: said.replace(b"\n", b"\r"),
    "comments": lambda said: said.replace(b"\n\n", b"\n\n: keep-alive\n\n:\n"),
    "fields unknown": lambda said: said.replace(b"data:", b"id: 7\nretry: 10\nwhat\ndata:"),
    "no space": lambda said: said.replace(b": ", b":"),
    "BOM": lambda said: b"\xef\xbb\xbf" + said,
    "data over many lines": lambda said: said.replace(b'{"', b'{\ndata: "'),
    "blank lines before": lambda said: b"\n\r\n\r" + said,
    "no final blank line": lambda said: said[:-1],
    "no final newline": lambda said: said[:-2],
    "cut in the middle": lambda said: said[: len(said) // 2],
    "a malformed event": lambda said: said + b'data: {"usage": {"output_tokens": \n\n' + said,
    "invalid UTF-8": lambda said: said + b"event: \xff\xfe\ndata: \x80\xc3\n\n" + said,
    "a zero byte": lambda said: said + b"data: \0\n\n" + said,
    "an event above a MiB": lambda said: b"data: " + b"x" * 1_100_000 + b"\n\n" + said,
    "a line without an end": lambda said: said + b"x" * 2_200_000,
    "nothing": lambda _: b"",
    "not events at all": lambda _: b"<html>\r\n<body>502</body>",
}


@dialects
@pytest.mark.parametrize("variant", list(VARIANTS))
async def test_what_comes_out_is_what_went_in(
    autojump_clock: MockClock, network: Network, dialect: str, variant: str
) -> None:
    """Whatever a provider streams, well-formed or not, passes byte for byte, and is no bug of ours."""
    path, host, said, _ = DIALECTS[dialect]
    said = VARIANTS[variant](said)
    step = 65_536 if len(said) > 100_000 else 7
    pieces = [said[at : at + step] for at in range(0, len(said), step)]
    await network.answer(host, saying(pieces, SSE))
    async with network.bridge() as bridge:
        answer = await bridge.client.post(path, content=b"{}")
        assert (answer.status_code, answer.content) == (200, said)
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        [finished] = bridge.told(Finished)
        assert (finished.broken, finished.bytes_out) == (False, len(said))


@dialects
async def test_each_piece_is_passed_on_at_the_instant_when_it_comes(
    autojump_clock: MockClock, network: Network, dialect: str
) -> None:
    """Nothing waits for the rest of its event, its line, or its character: pings and comments go at once too."""
    path, host, said, _ = DIALECTS[dialect]
    pieces = [b": ping\n\n", *(said[at : at + 11] for at in range(0, len(said), 11)), b":", b"\n"]
    await network.answer(host, saying(pieces, SSE, pause=2.0))
    async with network.bridge() as bridge, bridge.client.stream("POST", path, content=b"{}") as answer:
        began = trio.current_time()
        came = [(trio.current_time() - began, piece) async for piece in answer.aiter_raw()]
    assert came == [(2.0 * n, piece) for n, piece in enumerate(pieces)]


async def test_the_head_does_not_wait_for_the_body(autojump_clock: MockClock, network: Network) -> None:
    """A caller sees the status as soon as the provider has said it."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await trio.sleep(60)
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        began = trio.current_time()
        async with bridge.client.stream("POST", DIALECTS["chat"][0], content=b"{}") as answer:
            assert (answer.status_code, trio.current_time() - began) == (200, 0)


@dialects
async def test_no_cut_changes_bytes_verdict_or_usage(dialect: str) -> None:
    """An event may be split between packets at every byte, in every way of writing lines."""
    _, _, said, used = DIALECTS[dialect]
    for variant in ("as recorded", "CRLF", "lone CR", "BOM", "data over many lines"):
        written = VARIANTS[variant](said)
        for cut in range(1, len(written)):
            seen = await carried([written[:cut], written[cut:]])
            assert (seen.body, seen.usage, seen.verdicts) == (written, used, [Verdict.SUCCESS])


@dialects
async def test_a_byte_at_a_time_is_as_good(autojump_clock: MockClock, network: Network, dialect: str) -> None:
    """However small the packets: the same bytes, the same verdict, the same tokens."""
    path, host, said, used = DIALECTS[dialect]
    await network.answer(host, saying([bytes([byte]) for byte in said], SSE))
    async with network.bridge() as bridge:
        assert (await bridge.client.post(path, content=b"{}")).content == said
        [finished] = bridge.told(Finished)
        assert (finished.usage, finished.verdict) == (used, Verdict.SUCCESS)


# relay() by itself


class Spoken:
    """An answer of a provider that needs no connection."""

    def __init__(self, pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]], status: int = 200) -> None:
        self.status = status
        self.headers = headers
        length = dict(headers).get(b"content-length")
        self.length = None if length is None else int(length)
        self.buffered = False
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        """Return the next piece."""
        return next(self._pieces, b"")


class Seen:
    """What a caller and the house have seen of one answer."""

    def __init__(self) -> None:
        self.body = b""
        self.judged: list[Evidence] = []
        self.usage = Usage()

    @property
    def verdicts(self) -> list[Verdict]:
        """Return the verdicts in order."""
        return [evidence.verdict for evidence in self.judged]


class RecordingCircuit(Circuit):
    """A circuit without a policy that keeps the evidence it is given."""

    def __init__(self, judged: list[Evidence]) -> None:
        super().__init__("openai", None, lambda: 0.0, lambda _: None)
        self.judged = judged

    def judge(self, attempt: Attempt, evidence: Evidence) -> Verdict:
        self.judged.append(evidence)
        return super().judge(attempt, evidence)


async def carried(
    pieces: Iterable[bytes],
    headers: list[tuple[bytes, bytes]] = SSE,
    status: int = 200,
    *,
    keep: bool = True,
) -> Seen:
    """Relay an answer to nobody in particular."""
    seen = Seen()

    async def send(message: Message) -> None:
        if keep:
            seen.body += message.get("body", b"")

    body = AsgiBody()
    reply = AsgiReply(send, body)
    request = Request("POST", b"/", b"", [], None, None, body)
    record = Record(request, reply, lambda: 0.0, lambda _: None)
    route = Route("/chat/completions", intercepted=True)
    attempt = Attempt(RecordingCircuit(seen.judged))
    last = await relay(cast(Response, Spoken(pieces, headers, status)), reply, attempt, route, record)
    await reply.send(last)
    seen.usage = record.usage
    return seen


@pytest.mark.parametrize(
    "headers", [SSE, JSON, [*JSON, (b"content-length", b"%d" % (64 << 20))]], ids=["streamed", "unsized", "sized"]
)
async def test_a_huge_answer_passes_in_bounded_memory(headers: list[tuple[bytes, bytes]]) -> None:
    """64 MiB cost a few: what is kept for the verdict and the tokens has a bound."""

    def pieces() -> Iterable[bytes]:
        for n in range(1024):
            yield bytes([32 + n % 64]) * 65_536

    await carried([b"{}"], JSON, keep=False)
    tracemalloc.start()
    try:
        seen = await carried(pieces(), headers, keep=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20
    assert seen.verdicts == [Verdict.SUCCESS]


async def test_a_stream_that_went_blind_proves_at_its_end_that_it_was_answered() -> None:
    """After an event above the bound nothing more is read, neither errors nor tokens, but all is passed on."""
    said = b"data: " + b"x" * 1_100_000 + b'\n\ndata: {"error":{"type":"overloaded_error"}}\n\n' + CHAT
    seen = await carried([said[at : at + 65_536] for at in range(0, len(said), 65_536)])
    assert (seen.body, seen.verdicts, seen.usage) == (said, [Verdict.SUCCESS], Usage())


# Tokens


@dialects
@pytest.mark.parametrize("streamed", [True, False])
async def test_tokens_are_counted_in_every_dialect(
    autojump_clock: MockClock, network: Network, dialect: str, streamed: bool
) -> None:
    """Input, output, cache read and written: disjoint, later reports replace earlier ones, /metrics adds up."""
    path, host, said, used = DIALECTS[dialect]
    handler = saying([said], SSE) if streamed else saying([json.dumps(UNARY[dialect]).encode()], JSON)
    await network.answer(host, handler)
    async with network.bridge() as bridge:
        for times in (1, 2):
            await bridge.client.post(path, content=b"{}")
            assert bridge.told(Finished)[-1].usage == used
            for kind in ("input", "output", "cache_read", "cache_write"):
                count = await bridge.metric("tokens_total", provider=host, type=kind)
                assert count == times * getattr(used, kind)


async def test_tokens_of_a_stream_that_its_caller_left_are_counted_as_far_as_reported(
    autojump_clock: MockClock, network: Network
) -> None:
    """What a provider has reported it has charged for."""
    await network.answer("anthropic", saying([MESSAGES, b": and on\n\n" * 3], SSE, pause=10))
    async with network.bridge() as bridge:
        with trio.move_on_after(5):
            await bridge.client.post(DIALECTS["messages"][0], content=b"{}")
        await trio.sleep(1)
        assert bridge.told(Finished)[0].usage == Usage(25, 15, 5, 10)


# Encoded


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br", b"x-unheard-of"])
async def test_an_encoded_answer_is_relayed_as_it_is_and_judged_by_its_head(
    autojump_clock: MockClock, network: Network, coding: bytes
) -> None:
    """Asked for identity and encoded all the same: untouched bytes, a verdict at once, no tokens."""
    said = gzip.compress(CHAT)
    headers = [*SSE, (b"content-encoding", coding)]
    await network.answer("openai", saying([said[:5], said[5:]], headers, pause=5))
    async with network.bridge() as bridge:
        async with bridge.client.stream("POST", DIALECTS["chat"][0], content=b"{}") as answer:
            verdicts = (await bridge.status())["providers"][0]["breaker"]["verdicts"]
            assert verdicts == {"success": 1, "failure": 0, "neutral": 0}
            assert b"".join([piece async for piece in answer.aiter_raw()]) == said
        assert answer.headers["content-encoding"] == coding.decode()
        await trio.sleep(0)
        assert bridge.told(Finished)[0].usage == Usage()


async def test_an_encoded_429_is_a_failure_by_its_head(autojump_clock: MockClock, network: Network) -> None:
    """That an account is exhausted can't be read in it."""
    said = gzip.compress(b'{"error":{"code":"insufficient_quota"}}')
    await network.answer("openai", saying([said], [*JSON, (b"content-encoding", b"gzip")], 429))
    async with network.bridge() as bridge:
        await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
        assert bridge.told(Finished)[0].verdict is Verdict.FAILURE


async def test_identity_is_no_encoding(autojump_clock: MockClock, network: Network) -> None:
    """An answer that says `Content-Encoding: identity` is read like one that says nothing."""
    await network.answer("openai", saying([CHAT], [*SSE, (b"content-encoding", b"identity")]))
    async with network.bridge() as bridge:
        await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
        assert bridge.told(Finished)[0].usage == Usage(60, 7, 40, 0)


# Unary


async def test_a_sized_answer_stays_sized_and_an_unsized_one_unsized(
    autojump_clock: MockClock, network: Network
) -> None:
    """The provider's Content-Length is kept; without one the framing says where the answer ends."""
    path = DIALECTS["chat"][0]
    async with network.bridge() as bridge:
        await network.answer("openai", saying([b'{"a"', b":1}"], [*JSON, (b"content-length", b"7")]))
        answer = await bridge.client.post(path, content=b"{}")
        assert (answer.content, answer.headers["content-length"]) == (b'{"a":1}', "7")
        assert "transfer-encoding" not in answer.headers
        await network.answer("copilot", saying([b'{"a"', b":1}"], JSON))
        answer = await bridge.client.post("/copilot/chat/completions", content=b"{}")
        assert (answer.content, answer.headers["transfer-encoding"]) == (b'{"a":1}', "chunked")
        assert "content-length" not in answer.headers


async def test_an_answer_of_no_bytes_is_complete(autojump_clock: MockClock, network: Network) -> None:
    """`Content-Length: 0` is an answer like others: complete, a success, and the connection is kept."""
    await network.answer("openai", saying([], [(b"content-length", b"0")]))
    async with network.bridge() as bridge:
        for _ in range(2):
            answer = await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
            assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
        assert bridge.told(Finished)[0].verdict is Verdict.SUCCESS
    assert network.dialled.count("bridge") == network.dialled.count("openai") == 1


async def test_a_head_has_its_length_and_no_body(autojump_clock: MockClock, network: Network) -> None:
    """HEAD passes with the length of what GET would bring; nobody waits for those bytes."""
    await network.answer("openai", saying([], [*JSON, (b"content-length", b"123")]))
    async with network.bridge() as bridge:
        for _ in range(2):
            answer = await bridge.client.head("/openai/v1/models")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-length"] == "123"
        assert [finished.broken for finished in bridge.told(Finished)] == [False, False]
    assert network.dialled.count("bridge") == network.dialled.count("openai") == 1


@pytest.mark.parametrize(
    ("status", "headers"), [(204, []), (304, [(b"etag", b'"x"')]), (304, [(b"content-length", b"99")])]
)
async def test_a_status_without_a_body_has_none(
    autojump_clock: MockClock, network: Network, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    """204 and 304 pass without a body or a framing of one, and the connection is kept."""
    await network.answer("openai", saying([], headers, status))
    async with network.bridge() as bridge:
        for _ in range(2):
            answer = await bridge.client.get("/openai/v1/models", headers={"if-none-match": '"x"'})
            assert (answer.status_code, answer.content) == (status, b"")
            assert "transfer-encoding" not in answer.headers
            assert {name: value for name, value in answer.headers.raw if name in dict(headers)} == dict(headers)
    assert network.dialled.count("bridge") == 1


async def test_five_megabytes_of_answer_pass(autojump_clock: MockClock, network: Network) -> None:
    """A long unary answer is no exception: every byte, its length, its success."""
    said = bytes(range(256)) * 20_480
    pieces = [said[at : at + 50_000] for at in range(0, len(said), 50_000)]
    await network.answer("openai", saying(pieces, [*JSON, (b"content-length", b"%d" % len(said))]))
    async with network.bridge() as bridge:
        answer = await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
        assert answer.content == said
        [finished] = bridge.told(Finished)
        assert (finished.bytes_out, finished.verdict) == (len(said), Verdict.SUCCESS)


async def test_the_providers_headers_come_back_but_for_ours_and_the_hops(
    autojump_clock: MockClock, network: Network
) -> None:
    """Cookies stay apart and in order, values as they are; nothing upstream can speak in the bridge's name."""
    headers = [
        *JSON,
        (b"set-cookie", b"a=1; Path=/; Expires=Wed, 09 Jun 2027 10:18:14 GMT"),
        (b"set-cookie", b"b=2"),
        (b"x-latin", b"gr\xfc\xdfe"),
        (b"date", b"Mon, 01 Jan 2024 00:00:00 GMT"),
        (b"retry-after", b"7"),
        (b"openai-processing-ms", b"12"),
        (b"X-AIBridge-Reject", b"forged"),
        (b"x-aibridge-anything", b"forged"),
        (b"connection", b"x-hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"timeout=5"),
    ]
    await network.answer("openai", saying([b"{}"], headers, 429))
    async with network.bridge() as bridge:
        answer = await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
    assert answer.headers.raw == [
        *headers[:7],
        (b"x-request-id", answer.headers["x-request-id"].encode()),
        (b"Transfer-Encoding", b"chunked"),
    ]


# Verdicts on the way


def state(status: dict[str, Any]) -> tuple[str, int]:
    """Return state and probes of OpenAI's breaker."""
    breaker = status["providers"][0]["breaker"]
    return breaker["state"], breaker["probes"]


async def half_open(network: Network, client: httpx.AsyncClient) -> None:
    """Trip OpenAI's breaker (nobody is there) and wait for the end of its cooldown."""
    await client.post(DIALECTS["chat"][0])
    await trio.sleep(31)


async def paced(*pieces: bytes) -> AsyncIterator[bytes]:
    """Yield pieces, one a second."""
    for piece in pieces:
        yield piece
        await trio.sleep(1)


def pacing(*pieces: bytes) -> Handler:
    """Answer with a stream, a piece a second, and no end."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        async for piece in paced(*pieces):
            await reply.send(piece)
        await trio.sleep_forever()

    return handler


CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
OVERLOAD = b'data: {"error":{"message":"m","type":"server_error","code":"server_is_overloaded"}}\n\n'


async def test_a_probe_gives_its_permit_back_at_its_first_content(
    autojump_clock: MockClock, network: Network
) -> None:
    """Head, comments and response.created prove nothing; the first content does, while the stream runs on."""
    created = named({"type": "response.created", "response": {"id": "r"}})
    delta = named({"type": "response.output_text.delta", "delta": "x"})
    async with (
        network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge,
        trio.open_nursery() as nursery,
    ):
        await half_open(network, bridge.client)
        await network.answer("openai", pacing(b": hi\n\n", created, delta[:-1], delta[-1:]))
        for _ in range(3):
            nursery.start_soon(bridge.client.post, DIALECTS["responses"][0])
        await trio.sleep(2.5)
        assert state(await bridge.status()) == ("half-open", 3)
        await trio.sleep(1)
        assert state(await bridge.status()) == ("closed", 0)
        assert (await bridge.status())["providers"][0]["in_flight"] == 3
        nursery.cancel_scope.cancel()


async def test_overload_after_content_relapses_while_half_open(
    autojump_clock: MockClock, network: Network
) -> None:
    """A probe that had succeeded and then tells of overload opens the breaker again."""
    async with (
        network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge,
        trio.open_nursery() as nursery,
    ):
        await half_open(network, bridge.client)
        await network.answer("openai", pacing(CONTENT, OVERLOAD))
        nursery.start_soon(bridge.client.post, DIALECTS["chat"][0])
        await trio.sleep(0.5)
        assert state(await bridge.status()) == ("half-open", 0)
        await trio.sleep(1)
        assert state(await bridge.status()) == ("open", 0)
        verdicts = (await bridge.status())["providers"][0]["breaker"]["verdicts"]
        assert verdicts == {"success": 1, "failure": 2, "neutral": 0}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ending", ["overload", "break"])
async def test_what_goes_wrong_after_content_counts_once(
    autojump_clock: MockClock, network: Network, ending: str
) -> None:
    """Closed: an overload event or a broken answer is one failure each, however much of it follows."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(CONTENT)
        if ending == "overload":
            await reply.send(OVERLOAD)
            await reply.send(OVERLOAD)
            await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=2) as bridge:
        for failures in (1, 0):
            if ending == "overload":
                assert (await bridge.client.post(DIALECTS["chat"][0])).content == CONTENT + OVERLOAD * 2
            else:
                with pytest.raises(httpx.RemoteProtocolError):
                    await bridge.client.post(DIALECTS["chat"][0])
            breaker = (await bridge.status())["providers"][0]["breaker"]
            assert breaker["failures_in_window"] == failures
            assert bridge.told(Finished)[-1].verdict is Verdict.FAILURE
        assert state(await bridge.status()) == ("open", 0)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b": comment\n\n",
        named({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}, {"type": "ping"}),
        b"data: [DONE]\n\n",
        named({"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}),
    ],
)
async def test_a_stream_without_content_is_neutral(
    autojump_clock: MockClock, network: Network, said: bytes
) -> None:
    """It proves neither health nor outage."""
    await network.answer("anthropic", saying([said], SSE))
    async with network.bridge() as bridge:
        assert (await bridge.client.post(DIALECTS["messages"][0])).content == said
        assert bridge.told(Finished)[0].verdict is Verdict.NEUTRAL


async def test_a_unary_answer_succeeds_when_it_is_complete_not_before(
    autojump_clock: MockClock, network: Network
) -> None:
    """A 200 whose body stays half is no success yet."""
    await network.answer("openai", saying([b'{"a"', b":1}"], [*JSON, (b"content-length", b"7")], pause=5))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, DIALECTS["chat"][0])
        await trio.sleep(4)
        assert (await bridge.status())["providers"][0]["breaker"]["verdicts"]["success"] == 0
        await trio.sleep(7)
        assert (await bridge.status())["providers"][0]["breaker"]["verdicts"]["success"] == 1
