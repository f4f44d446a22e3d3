"""Bodies and answers that break, and callers that leave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.events import Bug, Finished
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, MESSAGES, SSE, endless, ok
from tests.support.network import Network

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
    """A body that is announced as too long is not read."""
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
    """If no head has gone out the caller gets 413; the provider's request is aborted; the verdict is neutral."""
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
            await trio.sleep(0.1)  # together, they would be too long before the provider has seen them

    await network.answer("openai", provider)
    async with network.bridge(max_body=25, circuit_breaker=True) as bridge:
        answer = await bridge.client.post(CHAT, content=body())
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (413, "body_too_large")
        with trio.fail_after(1):
            await aborted.wait()
        assert bridge.published(Finished)[0].verdict is Verdict.NEUTRAL


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
        assert bridge.published(Finished)[0].total < 70
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert trio.current_time() - began < 130


# Faults


async def test_a_refused_connection_is_502(autojump_clock: MockClock, network: Network) -> None:
    """The 502 names the phase that failed, and the breaker counts a failure."""
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")
        assert "connect" in answer.json()["message"]
        assert bridge.published(Finished)[0].verdict is Verdict.FAILURE
        assert await bridge.metric("upstream_errors_total", provider="openai", phase="connect") == 1


async def test_a_connection_that_does_not_come_about_is_504(autojump_clock: MockClock, network: Network) -> None:
    """TCP and TLS handshakes are bounded by --connect-timeout."""
    network.blackholes.add("openai")
    async with network.bridge(connect_timeout=10.0) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (504, "upstream_timeout")
        assert bridge.published(Finished)[0].duration == pytest.approx(10, abs=0.1)
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
        assert bridge.published(Finished)[0].duration == pytest.approx(600, abs=0.1)
        assert await bridge.metric("upstream_errors_total", provider="anthropic", phase="head") == 1


async def test_a_timeout_of_zero_is_none(autojump_clock: MockClock, network: Network) -> None:
    """With the timeouts off the bridge waits through an hour of silence."""

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
        [finished] = bridge.published(Finished)
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
        [finished] = bridge.published(Finished)
        assert (finished.broken, finished.left, finished.verdict) == (True, False, Verdict.FAILURE)


async def test_the_end_of_a_kept_connection_is_no_verdict(autojump_clock: MockClock, network: Network) -> None:
    """The request is not sent again, because it may have been processed: 502, and no failure for the breaker."""
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
        assert bridge.published(Finished)[-1].verdict is Verdict.NEUTRAL
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


async def test_a_bug_is_contained_and_published(
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
        [bug] = bridge.published(Bug)
        assert "RuntimeError at test_gateway_faults.py" in bug.where
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
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.verdict) == (200, Verdict.SUCCESS)
        assert (finished.broken, finished.left) == (True, True)


@pytest.mark.parametrize("body", [b"{}", b"x" * 150_000])
async def test_a_caller_that_leaves_before_the_head_frees_slot_and_provider(
    autojump_clock: MockClock, network: Network, body: bytes
) -> None:
    """A caller that leaves a silent provider frees its slot and the connection, and the verdict is neutral."""
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
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.verdict) == (499, Verdict.NEUTRAL)


async def test_a_caller_that_leaves_while_connecting_frees_its_slot(
    autojump_clock: MockClock, network: Network
) -> None:
    """A caller that leaves before the provider's connection is open frees its slot."""
    network.blackholes.add("openai")
    async with network.bridge(max_concurrency=1) as bridge:
        with trio.move_on_after(2):
            await bridge.client.post(CHAT, content=b"x" * 100_000)
        await trio.sleep(0.5)
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert bridge.published(Finished)[0].status == 499


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
        assert bridge.published(Finished)[0].verdict is Verdict.FAILURE
