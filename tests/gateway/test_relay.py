"""The way back: bytes unchanged and as they come, verdict and usage read on the side."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterable
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.events import Finished
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.circuit import Circuit
from aibridge_trio.gateway.relay import relay
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.providers import Route
from aibridge_trio.server.asgi import AsgiBody, AsgiReply, Message
from aibridge_trio.upstream.exchange import Response
from tests.support.network import Network
from tests.support.streamed_answers import (
    CHAT,
    DIALECTS,
    JSON,
    MESSAGES,
    SSE,
    UNARY,
    dialects,
    saying,
)

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
        [finished] = bridge.published(Finished)
        assert (finished.broken, finished.bytes_out) == (False, len(said))


@dialects
async def test_each_piece_is_passed_on_at_the_instant_when_it_comes(
    autojump_clock: MockClock, network: Network, dialect: str
) -> None:
    """No piece waits for the rest of its event, line or character; pings and comments go at once too."""
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
    """Packets of one byte give the same bytes, the same verdict and the same tokens."""
    path, host, said, used = DIALECTS[dialect]
    await network.answer(host, saying([bytes([byte]) for byte in said], SSE))
    async with network.bridge() as bridge:
        assert (await bridge.client.post(path, content=b"{}")).content == said
        [finished] = bridge.published(Finished)
        assert (finished.usage, finished.verdict) == (used, Verdict.SUCCESS)


# relay() by itself


class Spoken:
    """An answer of a provider that needs no connection."""

    def __init__(self, pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]], status: int = 200) -> None:
        self.head = ResponseHead(status, headers)
        self.buffered = self.complete = False
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        """Return the next piece."""
        return next(self._pieces, b"")


class Seen:
    """What a caller, the circuit and the record have seen of one answer."""

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
    """Relay an answer to a caller that only counts."""
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
    """Relaying 64 MiB takes less than 6 MiB of memory, as what is kept for verdict and tokens has a bound."""

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
    """Counts are disjoint, later reports replace earlier ones, and /metrics adds them up."""
    path, host, said, used = DIALECTS[dialect]
    handler = saying([said], SSE) if streamed else saying([json.dumps(UNARY[dialect]).encode()], JSON)
    await network.answer(host, handler)
    async with network.bridge() as bridge:
        for times in (1, 2):
            await bridge.client.post(path, content=b"{}")
            assert bridge.published(Finished)[-1].usage == used
            for kind in ("input", "output", "cache_read", "cache_write"):
                count = await bridge.metric("tokens_total", provider=host, type=kind)
                assert count == times * getattr(used, kind)


async def test_tokens_of_a_stream_that_its_caller_left_are_counted_as_far_as_reported(
    autojump_clock: MockClock, network: Network
) -> None:
    """Tokens that a provider has reported before the caller left are counted, because it has charged for them."""
    await network.answer("anthropic", saying([MESSAGES, b": and on\n\n" * 3], SSE, pause=10))
    async with network.bridge() as bridge:
        with trio.move_on_after(5):
            await bridge.client.post(DIALECTS["messages"][0], content=b"{}")
        await trio.sleep(1)
        assert bridge.published(Finished)[0].usage == Usage(25, 15, 5, 10)


# Encoded


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br", b"x-unheard-of"])
async def test_an_encoded_answer_is_relayed_as_it_is_and_judged_by_its_head(
    autojump_clock: MockClock, network: Network, coding: bytes
) -> None:
    """An answer that is encoded unasked passes unchanged, has its verdict at once, and counts no tokens."""
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
        assert bridge.published(Finished)[0].usage == Usage()


async def test_an_encoded_429_is_a_failure_by_its_head(autojump_clock: MockClock, network: Network) -> None:
    """An encoded 429 is a failure, because its body cannot show an exhausted account."""
    said = gzip.compress(b'{"error":{"code":"insufficient_quota"}}')
    await network.answer("openai", saying([said], [*JSON, (b"content-encoding", b"gzip")], 429))
    async with network.bridge() as bridge:
        await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
        assert bridge.published(Finished)[0].verdict is Verdict.FAILURE


async def test_identity_is_no_encoding(autojump_clock: MockClock, network: Network) -> None:
    """An answer that says `Content-Encoding: identity` is read like one that says nothing."""
    await network.answer("openai", saying([CHAT], [*SSE, (b"content-encoding", b"identity")]))
    async with network.bridge() as bridge:
        await bridge.client.post(DIALECTS["chat"][0], content=b"{}")
        assert bridge.published(Finished)[0].usage == Usage(60, 7, 40, 0)


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
        assert bridge.published(Finished)[0].verdict is Verdict.SUCCESS
    assert network.dialled.count("bridge") == network.dialled.count("openai") == 1


async def test_a_head_has_its_length_and_no_body(autojump_clock: MockClock, network: Network) -> None:
    """An answer to HEAD keeps the length that GET would have; the bridge does not wait for those bytes."""
    await network.answer("openai", saying([], [*JSON, (b"content-length", b"123")]))
    async with network.bridge() as bridge:
        for _ in range(2):
            answer = await bridge.client.head("/openai/v1/models")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-length"] == "123"
        assert [finished.broken for finished in bridge.published(Finished)] == [False, False]
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
        [finished] = bridge.published(Finished)
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
