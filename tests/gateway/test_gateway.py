"""The whole path in memory: order, promises, aborts, faults."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.errors import Reject
from aibridge_trio.events import Bug, Finished, Started
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]


async def ok(request: Request, reply: Reply) -> None:
    """Answer 200 with a small JSON."""
    async for _ in request.body:
        pass
    await reply.answer(200, JSON, b'{"ok":true}')


def failing(status: int, body: bytes = b"{}") -> Handler:
    """Answer always with this status."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(status, JSON, body)

    return handler


def recording(seen: list[Request], status: int = 200) -> Handler:
    """Answer, and keep what came."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        seen.append(request)
        await reply.answer(status, JSON, b"{}")

    return handler


async def endless(_: Request, reply: Reply) -> None:
    """Stream an event a second, for ever."""
    await reply.start(200, SSE)
    while True:
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep(1)


async def begun(stream: httpx.Response) -> None:
    """Wait for the first piece of an answer."""
    async for _ in stream.aiter_raw():
        return


# The way of a request


async def test_a_request_goes_up_and_its_answer_comes_back(autojump_clock: MockClock, network: Network) -> None:
    """Method, target and body arrive byte for byte; status and body come back."""
    seen: list[tuple[str, bytes, bytes, bytes]] = []

    async def provider(request: Request, reply: Reply) -> None:
        body = b"".join([piece async for piece in request.body])
        seen.append((request.method, request.path, request.query, body))
        await reply.answer(200, JSON, b'{"ok":true}')

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT + "?a=%20b&c", content=b"{}")
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}')
    assert seen == [("POST", b"/v1/chat/completions", b"a=%20b&c", b"{}")]


@pytest.mark.parametrize(
    ("method", "path", "host", "target"),
    [
        ("GET", "/openai/v1/models", "openai", b"/v1/models"),
        ("GET", "/openai/v1/models/a%20b:c", "openai", b"/v1/models/a%20b:c"),
        ("POST", "/openai/v1/embeddings", "openai", b"/v1/embeddings"),
        ("DELETE", "/openai/v1/responses/resp_1", "openai", b"/v1/responses/resp_1"),
        ("POST", MESSAGES, "anthropic", b"/v1/messages"),
        ("POST", "/anthropic/v1/messages/count_tokens", "anthropic", b"/v1/messages/count_tokens"),
        ("POST", "/copilot/chat/completions", "copilot", b"/chat/completions"),
        ("PATCH", "/copilot/mcp/x/y", "copilot", b"/mcp/x/y"),
    ],
)
async def test_each_prefix_leads_to_its_base_url(
    autojump_clock: MockClock, network: Network, method: str, path: str, host: str, target: bytes
) -> None:
    """Base URL plus path after the prefix, for every provider and method."""
    seen: list[Request] = []
    await network.answer(host, recording(seen))
    async with network.bridge() as bridge:
        assert (await bridge.client.request(method, path)).status_code == 200
    assert [(request.method, request.path) for request in seen] == [(method, target)]


@pytest.mark.parametrize("path", ["/", "/openai/v1", "/openai/v1/", "/anthropic", "/copilot/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_and_the_bare_prefixes_answer_clients_that_probe(
    autojump_clock: MockClock, network: Network, path: str, method: str
) -> None:
    """Real clients begin with HEAD / or a GET of their base URL."""
    async with network.bridge() as bridge:
        assert (await bridge.client.request(method, path)).status_code == 200
    assert not [host for host in network.dialled if host in ("openai", "anthropic", "copilot")]


async def test_headers_go_through_rebuilt(autojump_clock: MockClock, network: Network) -> None:
    """Hop-by-hop headers and those that Connection names stay behind; all others pass byte for byte."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.answer(
            200,
            [
                *JSON,
                (b"x-aibridge-reject", b"forged"),
                (b"proxy-authenticate", b"Basic"),
                (b"anthropic-ratelimit-requests-remaining", b"7"),
                (b"x-many", b"1"),
                (b"x-many", b"2"),
            ],
            b"{}",
        )

    await network.answer("anthropic", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(
            MESSAGES,
            content=b"{}",
            headers=[
                ("anthropic-beta", "a-2025,b-2026"),
                ("anthropic-version", "2023-06-01"),
                ("connection", "keep-alive, x-private"),
                ("x-private", "1"),
                ("te", "trailers"),
                ("proxy-authorization", "Basic eA=="),
                ("accept-encoding", "gzip"),
            ],
        )
    up = dict(seen[0].headers)
    assert (up[b"anthropic-beta"], up[b"anthropic-version"]) == (b"a-2025,b-2026", b"2023-06-01")
    assert up[b"host"] == b"anthropic"
    assert up[b"accept-encoding"] == b"identity"
    assert up[b"content-length"] == b"2"
    assert not {b"x-private", b"te", b"proxy-authorization", b"connection"} & up.keys()
    assert "x-aibridge-reject" not in answer.headers
    assert "proxy-authenticate" not in answer.headers
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "7"
    assert answer.headers.get_list("x-many") == ["1", "2"]


async def test_a_passed_through_request_keeps_its_accept_encoding(
    autojump_clock: MockClock, network: Network
) -> None:
    """Only what is read in passing is asked for unencoded."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        await bridge.client.get("/openai/v1/models", headers={"accept-encoding": "zstd"})
    assert seen[0].header(b"accept-encoding") == b"zstd"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["mine-1"], True),
        (["x" * 128], True),
        (["x" * 129], False),
        (["a b"], False),
        (["a", "b"], False),
        ([], False),
    ],
)
async def test_the_request_id_is_the_callers_if_sane(
    autojump_clock: MockClock, network: Network, sent: list[str], kept: bool
) -> None:
    """It goes up, comes back unless the provider sent one, and is logged; an insane one is replaced."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, headers=[("x-request-id", value) for value in sent])
        [finished] = bridge.told(Finished)
    [up] = seen[0].header_values(b"x-request-id")
    assert answer.headers["x-request-id"] == up.decode() == finished.request_id
    assert (up.decode() in sent) is kept


async def test_the_providers_request_id_wins(autojump_clock: MockClock, network: Network) -> None:
    """What support asks for is the provider's id."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.answer(200, [(b"x-request-id", b"theirs")], b"{}")

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, headers={"x-request-id": "mine"})
    assert answer.headers.get_list("x-request-id") == ["theirs"]


# Keys


async def test_without_a_central_key_the_callers_credential_goes_up_as_it_came(
    autojump_clock: MockClock, network: Network
) -> None:
    """Scheme, case and spaces included."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT, headers={"authorization": "bEARER sk-caller", "x-api-key": "also"})
    assert seen[0].header(b"authorization") == b"bEARER sk-caller"
    assert seen[0].header(b"x-api-key") == b"also"


@pytest.mark.parametrize(
    ("path", "header", "value"),
    [(CHAT, b"authorization", b"Bearer sk-central"), (MESSAGES, b"x-api-key", b"sk-central")],
)
async def test_a_central_key_replaces_the_callers_credential(
    autojump_clock: MockClock, network: Network, path: str, header: bytes, value: bytes
) -> None:
    """The caller's only names the caller."""
    seen: list[Request] = []
    for host in ("openai", "anthropic"):
        await network.answer(host, recording(seen))
    keys = {"openai_api_key": Secret("sk-central"), "anthropic_api_key": Secret("sk-central")}
    async with network.bridge(**keys) as bridge:
        await bridge.client.post(path, headers={"authorization": "Bearer sk-caller", "x-api-key": "sk-caller"})
    credentials = [pair for pair in seen[0].headers if pair[0] in (b"authorization", b"x-api-key")]
    assert credentials == [(header, value)]


async def test_forward_caller_keys_prefers_the_callers(autojump_clock: MockClock, network: Network) -> None:
    """With the option, who brings a credential uses it; who brings none uses the central one."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge(openai_api_key=Secret("sk-central"), forward_caller_keys=True) as bridge:
        await bridge.client.post(CHAT, headers={"authorization": "Bearer sk-caller"})
        await bridge.client.post(CHAT)
    sent = [request.header(b"authorization") for request in seen]
    assert sent == [b"Bearer sk-caller", b"Bearer sk-central"]


async def test_stored_data_is_never_shown_with_the_central_key(
    autojump_clock: MockClock, network: Network
) -> None:
    """The account's conversations are for its owners' keys."""
    await network.answer("openai", ok)
    async with network.bridge(openai_api_key=Secret("k")) as bridge:
        for path in ("/openai/v1/conversations", "/openai/v1/conversations/c", "/openai/v1/responses/r"):
            assert (await bridge.client.get(path)).status_code == 404
    assert "openai" not in network.dialled
    async with network.bridge() as bridge:
        headers = {"authorization": "Bearer own"}
        assert (await bridge.client.get("/openai/v1/responses/r", headers=headers)).status_code == 200


async def test_copilot_never_gets_a_central_key(autojump_clock: MockClock, network: Network) -> None:
    """It always uses the caller's."""
    seen: list[Request] = []
    await network.answer("copilot", recording(seen))
    async with network.bridge(openai_api_key=Secret("k"), anthropic_api_key=Secret("k")) as bridge:
        await bridge.client.post("/copilot/chat/completions", headers={"authorization": "Bearer gh"})
    assert seen[0].header(b"authorization") == b"Bearer gh"


# Bodies


async def test_a_chunked_body_streams_up_while_it_comes(autojump_clock: MockClock, network: Network) -> None:
    """A provider sees the first piece before the caller has sent the last."""
    first = trio.Event()

    async def provider(request: Request, reply: Reply) -> None:
        assert request.header(b"transfer-encoding") == b"chunked"
        total = 0
        async for piece in request.body:
            first.set()
            total += len(piece)
        await reply.answer(200, JSON, b"%d" % total)

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await first.wait()
        yield b"two"

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=body())
    assert answer.content == b"6"


async def test_a_body_announced_too_long_is_413_before_upstream_is_touched(
    autojump_clock: MockClock, network: Network
) -> None:
    """Nobody pays for reading what will not be sent."""
    await network.answer("openai", ok)
    async with network.bridge(max_body=10) as bridge:
        answer = await bridge.client.post(CHAT, content=b"x" * 11)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (413, "body_too_large")
        assert "10 bytes" in answer.json()["message"]
        assert (await bridge.client.post(CHAT, content=b"x" * 10)).status_code == 200
    assert network.dialled.count("openai") == 1


async def test_a_body_found_too_long_on_the_way_aborts_upstream(
    autojump_clock: MockClock, network: Network
) -> None:
    """413 if no head has gone out; the provider sees its request broken off, and nobody is to blame."""
    aborted = trio.Event()

    async def provider(request: Request, _reply: Reply) -> None:
        try:
            async for _ in request.body:
                pass
            await trio.sleep_forever()
        finally:
            aborted.set()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 10
            await trio.sleep(0.1)  # together, they would be too long before the provider has heard of them

    await network.answer("openai", provider)
    async with network.bridge(max_body=25, circuit_breaker=True) as bridge:
        answer = await bridge.client.post(CHAT, content=body())
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (413, "body_too_large")
        with trio.fail_after(1):
            await aborted.wait()
        assert bridge.told(Finished)[0].verdict is Verdict.NEUTRAL


async def test_an_upload_that_stalls_is_ended(autojump_clock: MockClock, network: Network) -> None:
    """Every wait has an end: a minute of silence in an upload gives the slot back."""

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await trio.sleep(120)

    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        began = trio.current_time()
        answer = await bridge.client.post(CHAT, content=body())
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (400, "bad_request")
        assert bridge.told(Finished)[0].total < 70
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert trio.current_time() - began < 130


# Faults


async def test_a_refused_connection_is_502(autojump_clock: MockClock, network: Network) -> None:
    """It says which phase failed, and counts as a failure."""
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")
        assert "connect" in answer.json()["message"]
        assert bridge.told(Finished)[0].verdict is Verdict.FAILURE
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="connect") == 1


async def test_a_connection_that_does_not_come_about_is_504(autojump_clock: MockClock, network: Network) -> None:
    """TCP and TLS have a deadline."""
    network.blackholes.add("openai")
    async with network.bridge(connect_timeout=10.0) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (504, "upstream_timeout")
        assert bridge.told(Finished)[0].duration == pytest.approx(10, abs=0.1)
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="connect") == 1


async def test_no_head_in_time_is_504(autojump_clock: MockClock, network: Network) -> None:
    """The first-byte timeout runs from the moment the request is out."""

    async def silent(request: Request, reply: Reply) -> None:
        await trio.sleep(1000)

    await network.answer("anthropic", silent)
    async with network.bridge(first_byte_timeout=600.0) as bridge:
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (504, "upstream_timeout")
        assert answer.json()["error"]["type"] == "timeout_error"
        assert bridge.told(Finished)[0].duration == pytest.approx(600, abs=0.1)
        assert await bridge.metric("upstream_errors_total", provider="anthropic", phase="head") == 1


async def test_a_timeout_of_zero_is_none(autojump_clock: MockClock, network: Network) -> None:
    """Switched off is off: an hour of silence is waited for."""

    async def slow(request: Request, reply: Reply) -> None:
        await trio.sleep(3600)
        await reply.answer(200, JSON, b"{}")

    await network.answer("openai", slow)
    async with network.bridge(first_byte_timeout=float("inf"), idle_timeout=float("inf")) as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200


async def test_a_provider_that_hangs_up_before_its_head_is_502(
    autojump_clock: MockClock, network: Network
) -> None:
    """A connection closed on a request is a failure of phase head."""

    async def hang_up(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.aclose()

    network.raw("openai", hang_up)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="head") == 1


async def test_an_answer_that_falls_silent_ends_uncleanly(autojump_clock: MockClock, network: Network) -> None:
    """The idle timeout is counted only while the bridge waits to read; the caller sees a break, no end."""

    async def stalls(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(b"data: {}\n\n")
        await trio.sleep(1000)

    await network.answer("openai", stalls)
    async with network.bridge(idle_timeout=300.0) as bridge:
        began = trio.current_time()
        with pytest.raises(httpx.RemoteProtocolError):
            await bridge.client.post(CHAT, content=b"{}")
        assert trio.current_time() - began == pytest.approx(300, abs=0.1)
        [finished] = bridge.told(Finished)
        assert (finished.broken, finished.verdict, finished.status) == (True, Verdict.FAILURE, 200)
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="stream") == 1


@pytest.mark.parametrize("sized", [True, False])
async def test_an_answer_that_breaks_ends_uncleanly(
    autojump_clock: MockClock, network: Network, sized: bool
) -> None:
    """SDKs take a clean early end for a complete answer, so a broken one must not have it."""

    async def breaks(_: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-length", b"100")] if sized else SSE)
        await reply.send(b'data: {"choices":[]}\n\n')

    await network.answer("openai", breaks)
    async with network.bridge() as bridge:
        with pytest.raises(httpx.RemoteProtocolError):
            await bridge.client.post(CHAT, content=b"{}")
        [finished] = bridge.told(Finished)
        assert (finished.broken, finished.left, finished.verdict) == (True, False, Verdict.FAILURE)


async def test_the_end_of_a_kept_connection_is_no_verdict(autojump_clock: MockClock, network: Network) -> None:
    """It is not sent again, because it may have been processed: 502, and the breaker hears nothing of it."""
    asked = 0

    async def once(stream: trio.abc.Stream) -> None:
        nonlocal asked
        for answer in (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b""):
            heard = b""
            while b"\r\n\r\n{}" not in heard:
                heard += await stream.receive_some()
            asked += 1
            await stream.send_all(answer)
        await stream.aclose()

    network.raw("openai", once)
    async with network.bridge(circuit_breaker=True) as bridge:
        statuses = [(await bridge.client.post(CHAT, content=b"{}")).status_code for _ in range(2)]
        assert (statuses, asked) == ([200, 502], 2)
        assert bridge.told(Finished)[-1].verdict is Verdict.NEUTRAL
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="head") == 1


async def test_a_broken_answer_is_reset_in_http_1_0(autojump_clock: MockClock, network: Network) -> None:
    """Where a close is the end of an answer, a broken one must not be closed but reset."""

    async def breaks(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(b"data: {}\n\n")

    resets: list[bool] = []
    await network.answer("openai", breaks)
    async with network.bridge():
        stream = network.dial("bridge")
        network.listeners["bridge"].last.socket.setsockopt = lambda *_: resets.append(True)
        await stream.send_all(b"POST /openai/v1/chat/completions HTTP/1.0\r\nhost: b\r\ncontent-length: 0\r\n\r\n")
        while await stream.receive_some():
            pass
        assert resets == [True]
        await stream.aclose()


async def test_a_bug_of_ours_is_contained_and_said(
    autojump_clock: MockClock,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One request fails with 500 in its dialect, the log says where, and the slot is free."""

    def broken(*_: object) -> None:
        raise RuntimeError("sk-secret")

    async with network.bridge(max_concurrency=1) as bridge:
        monkeypatch.setattr(bridge.bridge.router, "match", broken)
        answer = await bridge.client.post(MESSAGES, headers={"x-api-key": "sk-secret"})
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (500, "internal_error")
        assert answer.json()["error"]["type"] == "api_error"
        assert bridge.bridge.admission.statistics().in_flight == 0
        [bug] = bridge.told(Bug)
        assert "RuntimeError at test_gateway.py" in bug.where
    said = capsys.readouterr().err
    assert '"event": "bug"' in said
    assert "sk-secret" not in said + answer.text


# Callers that leave


async def test_a_caller_that_leaves_a_stream_frees_slot_and_provider(
    autojump_clock: MockClock, network: Network
) -> None:
    """Within a second the upstream request is cancelled and the slot is back; the verdict stays."""
    gone = trio.Event()

    async def provider(request: Request, reply: Reply) -> None:
        try:
            await endless(request, reply)
        finally:
            gone.set()

    await network.answer("openai", provider)
    async with network.bridge(max_concurrency=1) as bridge:
        with trio.move_on_after(3.5):
            await bridge.client.post(CHAT, content=b"{}")
        with trio.fail_after(1):
            await gone.wait()
        assert bridge.bridge.admission.statistics().in_flight == 0
        [finished] = bridge.told(Finished)
        assert (finished.status, finished.verdict) == (200, Verdict.SUCCESS)
        assert (finished.broken, finished.left) == (True, True)


@pytest.mark.parametrize("body", [b"{}", b"x" * 150_000])
async def test_a_caller_that_leaves_before_the_head_frees_slot_and_provider(
    autojump_clock: MockClock, network: Network, body: bytes
) -> None:
    """A caller that gives up on a silent provider costs nothing further, and blames nobody."""
    gone = trio.Event()

    async def provider(request: Request, reply: Reply) -> None:
        try:
            await trio.sleep_forever()
        finally:
            gone.set()

    await network.answer("openai", provider)
    async with network.bridge(max_concurrency=1) as bridge:
        with trio.move_on_after(3):
            await bridge.client.post(CHAT, content=body)
        with trio.fail_after(1):
            await gone.wait()
        assert bridge.bridge.admission.statistics().in_flight == 0
        [finished] = bridge.told(Finished)
        assert (finished.status, finished.verdict) == (499, Verdict.NEUTRAL)


async def test_a_caller_that_leaves_while_connecting_frees_its_slot(
    autojump_clock: MockClock, network: Network
) -> None:
    """Also before a connection stands."""
    network.blackholes.add("openai")
    async with network.bridge(max_concurrency=1) as bridge:
        with trio.move_on_after(2):
            await bridge.client.post(CHAT, content=b"x" * 100_000)
        await trio.sleep(0.5)
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert bridge.told(Finished)[0].status == 499


async def test_a_429_counts_though_the_caller_leaves(autojump_clock: MockClock, network: Network) -> None:
    """A failure is settled at its first evidence, whatever the rest of the body would have said."""

    async def slow_429(_: Request, reply: Reply) -> None:
        await reply.start(429, JSON)
        await reply.send(b'{"error":')
        await trio.sleep_forever()

    await network.answer("openai", slow_429)
    async with network.bridge() as bridge:
        with trio.move_on_after(2):
            await bridge.client.post(CHAT, content=b"{}")
        await trio.sleep(0.5)
        assert bridge.told(Finished)[0].verdict is Verdict.FAILURE


# Concurrency and rate, through the whole stack


async def test_the_nth_is_admitted_and_the_next_rejected_at_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """A reject does not wait, and says when to come back; the slot held longest is back after its last byte."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=2) as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        began = trio.current_time()
        answer = await bridge.client.post(CHAT)
        assert trio.current_time() - began < 0.01
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "capacity")
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert 1000 <= int(answer.headers["retry-after-ms"]) <= 1200
        assert await bridge.metric("requests_in_flight") == 2
        assert await bridge.metric("rejects_total", reason="capacity") == 1
        nursery.cancel_scope.cancel()
    await trio.sleep(0.5)
    assert bridge.bridge.admission.statistics().in_flight == 0


async def test_every_request_needs_a_slot(autojump_clock: MockClock, network: Network) -> None:
    """404s, probes and passed-through ones too; concurrency comes before all else."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=1, rate_limit=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1.5)
        for path in ("/", "/nowhere", "/openai/v1/models", "/a//b"):
            answer = await bridge.client.get(path, headers=[("x-api-key", "a"), ("x-api-key", "b")])
            assert answer.headers["x-aibridge-reject"] == "capacity"
        nursery.cancel_scope.cancel()


async def test_the_admin_listener_answers_when_the_proxy_is_full(
    autojump_clock: MockClock, network: Network
) -> None:
    """It shares no limiter with it."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        status = await bridge.status()
        assert (status["concurrency"]["limit"], status["concurrency"]["in_flight"]) == (1, 1)
        nursery.cancel_scope.cancel()


async def test_a_reject_is_written_after_its_slot_is_back(autojump_clock: MockClock, network: Network) -> None:
    """A flood of rejects holds no slots: a caller that never reads its 404 keeps nobody out."""
    await network.answer("openai", ok)
    async with network.bridge(max_concurrency=1) as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"POST /nowhere HTTP/1.1\r\nhost: bridge\r\ncontent-length: 10\r\n\r\n")
        await trio.sleep(1)  # the 404 is out, its upload still drained
        assert (await bridge.client.post(CHAT)).status_code == 200
        await stream.aclose()


async def test_the_rate_is_counted_by_caller_over_all_routes(autojump_clock: MockClock, network: Network) -> None:
    """N at once, the next one rejected until exactly a second later; others are not affected."""
    await network.answer("openai", ok)
    async with network.bridge(rate_limit=2) as bridge:
        alice, bob = {"authorization": "Bearer alice"}, {"x-api-key": "bob"}
        assert (await bridge.client.post(CHAT, headers=alice)).status_code == 200
        assert (await bridge.client.get("/nowhere", headers=alice)).status_code == 404
        answer = await bridge.client.get("/openai/v1/models", headers=alice)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (429, "rate_limit")
        assert 900 <= int(answer.headers["retry-after-ms"]) <= 1200
        assert [answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == [
            "2",
            "0",
            "1",
        ]
        assert (await bridge.client.post(CHAT, headers=bob)).status_code == 200
        assert (await bridge.client.post(CHAT)).status_code == 200
        await trio.sleep(1)
        answer = await bridge.client.post(CHAT, headers=alice)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "1")


async def test_the_providers_own_ratelimit_headers_win(autojump_clock: MockClock, network: Network) -> None:
    """Ours stand only where upstream sent none of those names."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.answer(200, [(b"x-ratelimit-limit", b"9")], b"{}")

    await network.answer("openai", provider)
    async with network.bridge(rate_limit=2) as bridge:
        answer = await bridge.client.post(CHAT)
    assert answer.headers.get_list("x-ratelimit-limit") == ["9"]
    assert "x-ratelimit-remaining" not in answer.headers


# The breaker, through the whole stack


async def test_the_breaker_opens_refuses_probes_and_closes(autojump_clock: MockClock, network: Network) -> None:
    """429s trip it; open, nothing reaches the provider and Retry-After is what is left; probes close it."""
    status = 429
    calls = 0

    async def provider(request: Request, reply: Reply) -> None:
        nonlocal calls
        calls += 1
        await failing(status)(request, reply)

    await network.answer("anthropic", provider)
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 429
        await trio.sleep(10)
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
        assert answer.json()["message"] == (
            "anthropic is currently unavailable due to upstream rate limiting. Please try again later."
        )
        assert answer.json()["error"]["type"] == "overloaded_error"
        assert 20_000 <= int(answer.headers["retry-after-ms"]) <= 24_000
        assert (await bridge.client.get("/anthropic/v1/models")).headers["x-aibridge-reject"] == "circuit_open"
        assert calls == 5
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 1
        assert await bridge.metric("circuit_breaker_rejects_total", provider="anthropic") == 2
        await trio.sleep(20.1)
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 2
        status = 200
        for _ in range(3):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 0
        assert await bridge.metric("circuit_breaker_trips_total", provider="anthropic") == 1
        because = [event["because"] for event in (await bridge.status())["events"] if event["kind"] == "breaker"]
        assert because == ["5 failures in 10 s, last 429", "cooldown over", "3 of 3 probes succeeded"]


async def test_one_breaker_per_provider_whoever_asks(autojump_clock: MockClock, network: Network) -> None:
    """Different callers' failures count together; another provider's breaker hears nothing of them."""
    for host in ("openai", "anthropic"):
        await network.answer(host, failing(503))
    async with network.bridge(circuit_breaker=True) as bridge:
        for n in range(5):
            await bridge.client.post(CHAT, headers={"authorization": f"Bearer caller-{n}"})
        states = {each["name"]: each["breaker"]["state"] for each in (await bridge.status())["providers"]}
    assert states == {"openai": "open", "anthropic": "closed", "copilot": "closed"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502])
async def test_other_statuses_never_trip(autojump_clock: MockClock, network: Network, status: int) -> None:
    """They are the request's or the provider's own affair, and relayed as they are."""
    await network.answer("openai", failing(status, b'{"error":{"message":"m"}}'))
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(10):
            answer = await bridge.client.post(CHAT)
            assert (answer.status_code, answer.content) == (status, b'{"error":{"message":"m"}}')
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_an_exhausted_account_never_trips(autojump_clock: MockClock, network: Network) -> None:
    """Waiting would not help, and the provider is well."""
    await network.answer("openai", failing(429, b'{"error":{"code":"insufficient_quota"}}'))
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(10):
            assert (await bridge.client.post(CHAT)).status_code == 429
        assert await bridge.metric("verdicts_total", provider="openai", verdict="neutral") == 10
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_refused_connections_trip_and_the_reject_says_failures(
    autojump_clock: MockClock, network: Network
) -> None:
    """A dead provider is a failure without a status."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(CHAT)).status_code == 502
        answer = await bridge.client.post(CHAT)
    assert answer.json()["message"] == (
        "openai is currently unavailable due to upstream failures. Please try again later."
    )


@pytest.mark.parametrize(
    ("path", "host", "event"),
    [
        (MESSAGES, "anthropic", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
        (CHAT, "openai", b'data: {"error":{"type":"rate_limit_error","code":"rate_limit_exceeded"}}\n\n'),
        (
            "/openai/v1/responses",
            "openai",
            b'event: error\ndata: {"type":"error","code":"server_is_overloaded"}\n\n',
        ),
        (
            "/openai/v1/responses",
            "openai",
            (
                b'event: response.failed\ndata: {"type":"response.failed","response":'
                b'{"error":{"code":"slow_down"}}}\n\n'
            ),
        ),
    ],
)
async def test_an_overload_event_inside_a_200_trips(
    autojump_clock: MockClock, network: Network, path: str, host: str, event: bytes
) -> None:
    """A status of 200 does not make a failure a success; the bytes go through all the same."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(event)
        await reply.end()

    await network.answer(host, provider)
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(path, content=b"{}")).content == event
        assert await bridge.metric("circuit_breaker_trips_total", provider=host) == 1
        answer = await bridge.client.post(path, content=b"{}")
        assert "due to upstream rate limiting" in answer.json()["message"]


async def test_half_open_lets_only_so_many_probe(autojump_clock: MockClock, network: Network) -> None:
    """Three hang, the fourth is told to come back in a second; after their deadline others may probe."""
    network.blackholes.add("openai")
    async with network.bridge(circuit_breaker=True, connect_timeout=1.0) as bridge, trio.open_nursery() as nursery:
        for _ in range(5):
            await bridge.client.post(CHAT)
        network.blackholes.clear()
        await trio.sleep(31)

        async def hangs(request: Request, reply: Reply) -> None:
            await trio.sleep_forever()

        await network.answer("openai", hangs)
        for _ in range(3):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        answer = await bridge.client.post(CHAT)
        assert answer.headers["x-aibridge-reject"] == "circuit_open"
        assert 1000 <= int(answer.headers["retry-after-ms"]) <= 1200
        breaker = (await bridge.status())["providers"][0]["breaker"]
        assert (breaker["state"], breaker["probes"], breaker["max_probes"]) == ("half-open", 3, 3)
        await trio.sleep(30)
        assert (await bridge.status())["providers"][0]["breaker"]["probes"] == 0
        nursery.cancel_scope.cancel()


async def test_off_lets_everything_through_and_still_counts(autojump_clock: MockClock, network: Network) -> None:
    """Breakers are off by default."""
    await network.answer("openai", failing(503))
    async with network.bridge() as bridge:
        for _ in range(20):
            assert (await bridge.client.post(CHAT)).status_code == 503
        assert await bridge.metric("verdicts_total", provider="openai", verdict="failure") == 20
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_the_breaker_is_asked_before_the_body_is_read(autojump_clock: MockClock, network: Network) -> None:
    """A refused request costs no upload: the answer is there while the body still comes."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            await bridge.client.post(CHAT)
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ncontent-length: 100000000\r\n\r\n"
        )
        with trio.fail_after(0.1):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 503")
        await stream.aclose()


# Bad input


@pytest.mark.parametrize(
    ("make", "status", "reason"),
    [
        (lambda c: c.post(CHAT, headers=[("x-api-key", "a"), ("x-api-key", "b")]), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers=[("authorization", "Bearer a")] * 2), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers={"authorization": "Bearer"}), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers={"x-api-key": ""}), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/evals"), 404, "not_found"),
        (lambda c: c.get("/openai"), 404, "not_found"),
        (lambda c: c.post("/"), 404, "not_found"),
        (lambda c: c.delete(CHAT), 404, "not_found"),
        (lambda c: c.get("/openai/v1/models/%2e%2e/files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/models//files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/models/..;/files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/responses/a%2Ffiles"), 400, "bad_request"),
        (lambda c: c.request("TRACE", "/"), 405, "method_not_allowed"),
        (
            lambda c: c.get(
                "/openai/v1/responses",
                headers={
                    "upgrade": "websocket",
                    "connection": "upgrade",
                    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
                    "sec-websocket-version": "13",
                },
            ),
            426,
            "upgrade_refused",
        ),
    ],
)
async def test_bad_input_is_refused_in_place(
    autojump_clock: MockClock,
    network: Network,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[httpx.AsyncClient], object],
    status: int,
    reason: str,
) -> None:
    """None of it reaches a provider, holds a slot after its answer, or writes a traceback."""
    async with network.bridge(max_concurrency=1) as bridge:
        answer = await make(bridge.client)  # type: ignore[misc]
        assert isinstance(answer, httpx.Response)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (status, reason)
        assert answer.headers["content-type"] == "application/json"
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert not bridge.told(Started)
        assert bridge.told(Bug) == []
    assert "Traceback" not in capsys.readouterr().err
    assert not [host for host in network.dialled if host in ("openai", "anthropic", "copilot")]


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/../admin",
        b"/openai/v1/./models",
        b"/openai/v1/models/..",
        b"/openai\\v1",
        b"http://evil/openai/v1/models",
    ],
)
async def test_tricked_paths_are_400(autojump_clock: MockClock, network: Network, target: bytes) -> None:
    """What another reader would resolve differently is refused before the allow-list is asked."""
    async with network.bridge():
        stream = network.dial("bridge")
        await stream.send_all(b"GET %s HTTP/1.1\r\nhost: bridge\r\n\r\n" % target)
        head = bytes(await stream.receive_some())
        assert head.startswith(b"HTTP/1.1 400")
        assert b"x-aibridge-reject: bad_request" in head
        await stream.aclose()


async def test_malformed_json_is_the_providers_to_judge(autojump_clock: MockClock, network: Network) -> None:
    """The bridge does not read what callers send."""
    seen: list[bytes] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(b"".join([piece async for piece in request.body]))
        await reply.answer(400, JSON, b'{"error":{"message":"not json"}}')

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=b'{"broken')
    assert (answer.status_code, seen) == (400, [b'{"broken'])
    assert "x-aibridge-reject" not in answer.headers


async def test_length_and_chunks_together_are_refused(autojump_clock: MockClock, network: Network) -> None:
    """Two readers could disagree on where such a request ends."""
    async with network.bridge():
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ncontent-length: 3\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")
        await stream.aclose()


# What everybody hears


async def test_the_record_of_a_request(autojump_clock: MockClock, network: Network) -> None:
    """Who, where, what became of it: all that the log line and the ledgers need."""
    body = json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()
    await network.answer("openai", failing(200, body))
    async with network.bridge() as bridge:
        await bridge.client.post(
            CHAT, content=b"{}", headers={"authorization": "Bearer sk-0123456789abcdef", "user-agent": "u" * 100}
        )
        [finished] = bridge.told(Finished)
        assert await bridge.metric("tokens_total", provider="openai", type="input") == 10
        assert await bridge.metric("tokens_total", provider="openai", type="output") == 5
    assert (finished.provider, finished.route, finished.method, finished.status) == (
        "openai",
        "/chat/completions",
        "POST",
        200,
    )
    assert finished.caller is not None
    assert finished.caller.hint == "…cdef"
    assert (finished.bytes_in, finished.bytes_out) == (2, len(body))
    assert finished.user_agent == "u" * 64
    assert finished.first_byte is not None


async def test_an_idle_connection_does_not_hold_up_the_end(autojump_clock: MockClock, network: Network) -> None:
    """A kept connection without a request closes at once when the bridge is told to stop."""
    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200
        await bridge.signals.send(15)
        began = trio.current_time()
        await bridge.ended.wait()
        assert (bridge.exit_status, trio.current_time() - began) == (0, 0)


async def test_a_caller_that_comes_again_at_once_finds_its_slot_free(
    autojump_clock: MockClock, network: Network
) -> None:
    """One caller, one slot, a hundred requests in a row, sized and not: none is rejected."""

    async def streamed(request: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(b"data: {}\n\n")
        await reply.end()

    await network.answer("openai", ok)
    await network.answer("anthropic", streamed)
    async with network.bridge(max_concurrency=1) as bridge:
        for _ in range(50):
            assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
            async with network.client("bridge") as another:
                assert (await another.post(MESSAGES, content=b"{}")).status_code == 200


async def test_no_repr_of_ours_shows_a_secret(autojump_clock: MockClock, network: Network) -> None:
    """While requests run and after they have ended, nothing alive in this house would print a credential."""
    central, caller, token = (
        "sk-central-canary-0123456789",
        "sk-caller-canary-0123456789",
        "admin-canary-0123456789",
    )

    async def provider(request: Request, reply: Reply) -> None:
        await (endless if request.path.endswith(b"completions") else ok)(request, reply)

    def shown() -> str:
        ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith("aibridge_trio")]
        assert {"Request", "Outgoing", "Record", "Backend", "Caller", "Settings"} <= {
            type(o).__name__ for o in ours
        }
        return " ".join(map(repr, ours))

    for host in ("openai", "anthropic"):
        await network.answer(host, provider)
    keys = {"openai_api_key": Secret(central), "admin_token": Secret(token)}
    async with network.bridge(**keys) as bridge, trio.open_nursery() as nursery:
        headers = {"authorization": f"Bearer {caller}", "x-api-key": caller, "cookie": caller}
        nursery.start_soon(partial(bridge.client.post, f"{CHAT}?key={caller}", headers=headers, content=caller))
        await bridge.client.post(MESSAGES, headers=headers)
        await bridge.client.get("/nowhere", headers=headers)
        await trio.sleep(1)
        said = shown()
        nursery.cancel_scope.cancel()
    for secret in (central, caller, token):
        assert secret not in said


async def test_what_is_refused_leaves_no_cycle(autojump_clock: MockClock, network: Network) -> None:
    """To say no is cheap: no frame that a reject came through keeps it, the request, the connection."""
    await network.answer("openai", failing(503))
    limits: dict[str, Any] = {"rate_limit": 4, "circuit_breaker": True, "circuit_breaker_failure_threshold": 1}
    async with network.bridge(**limits) as bridge:
        await bridge.client.post(CHAT, content=b"{}")
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            asked = [("POST", CHAT), ("GET", "/openai/v1/models"), ("GET", "/nowhere"), ("GET", "/nowhere")]
            answers = [await bridge.client.request(*each, content=b"{}") for each in asked]
            gc.collect()
            assert not [each for each in gc.garbage if isinstance(each, Reject)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    reasons = [answer.headers["x-aibridge-reject"] for answer in answers]
    assert reasons == ["circuit_open", "circuit_open", "not_found", "rate_limit"]
