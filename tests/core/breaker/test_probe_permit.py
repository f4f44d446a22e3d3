"""Permits of probes, on connections in memory: only requests that were sent in full hold one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.events import Finished
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network, Running

CHAT = "/openai/v1/chat/completions"
JSON = [(b"content-type", b"application/json")]
BREAKER: dict[str, Any] = {"circuit_breaker": True}


class Provider:
    """Answers with a status, which tests set, when a request is whole, or early; keeps what came whole."""

    def __init__(self, status: int = 503) -> None:
        self.status = status
        self.early = False
        self.whole: list[bytes] = []
        self.begun = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.begun += 1
        status = self.status
        if not self.early:
            self.whole.append(b"".join([piece async for piece in request.body]))
        await reply.answer(status, JSON, b"{}")


def breaker(bridge: Running) -> dict[str, Any]:
    """Return the first provider's breaker as it stands in /status."""
    found: dict[str, Any] = bridge.bridge.status.document()["providers"][0]["breaker"]
    return found


async def half_open(bridge: Running, provider: Provider) -> None:
    """Trip it and wait until it probes."""
    for _ in range(5):
        await bridge.client.post(CHAT, content=b"{}", headers={"connection": "close"})
    provider.status = 200
    await trio.sleep(30.1)
    assert breaker(bridge)["state"] == "half-open"


def head(framing: bytes) -> bytes:
    """Return the head of a request by one caller."""
    return (
        b"POST "
        + CHAT.encode()
        + b" HTTP/1.1\r\nhost: bridge\r\nauthorization: Bearer slow\r\n"
        + framing
        + b"\r\n\r\n"
    )


async def ask(bridge: Running, content: Any = b"{}") -> httpx.Response:
    """Make another caller's request, on a connection of its own."""
    headers = {"authorization": "Bearer other", "connection": "close"}
    return await bridge.client.post(CHAT, content=content, headers=headers)


@pytest.mark.parametrize(
    "unfinished",
    [
        head(b"content-length: 100"),
        head(b"content-length: 100") + b"x" * 99,
        head(b"transfer-encoding: chunked"),
        head(b"transfer-encoding: chunked") + b"3\r\nabc\r\n",
    ],
    ids=["no body", "all but a byte", "no chunk", "no last chunk"],
)
@pytest.mark.parametrize("scope", ["provider", "endpoint", "model"])
async def test_unfinished_uploads_hold_no_permit(
    autojump_clock: MockClock, network: Network, unfinished: bytes, scope: str
) -> None:
    """Six unfinished uploads of one caller in half-open do not keep another caller's probes from closing it."""
    provider = Provider()
    await network.answer("openai", provider)
    models = ("gpt-5",) if scope == "model" else ()
    options = {**BREAKER, "circuit_breaker_scope": scope, "circuit_breaker_models": models}
    async with network.bridge(**options) as bridge:
        await half_open(bridge, provider)
        streams = [network.dial("bridge") for _ in range(6)]
        for stream in streams:
            await stream.send_all(unfinished)
        await trio.sleep(1)
        assert breaker(bridge)["probes"] == 0
        for _ in range(3):
            assert (await ask(bridge)).status_code == 200
        assert breaker(bridge)["state"] == "closed"
        for stream in streams:
            await stream.aclose()


async def chunks(pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        await trio.sleep(1)
        yield b"x"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (lambda: b"", {}),
        (lambda: b"{}", {}),
        (lambda: chunks(0), {}),
        (lambda: chunks(3), {}),
        (lambda: chunks(3), {"content-length": "3"}),
    ],
    ids=["none", "one piece", "chunked, empty", "chunked", "counted"],
)
async def test_a_whole_request_holds_one(
    autojump_clock: MockClock, network: Network, content: Callable[[], Any], headers: dict[str, str]
) -> None:
    """From its last piece until the provider's answer; one caller may hold all permits."""
    provider, answers, slowly = Provider(), trio.Event(), False
    held: list[int] = []

    async def slow(request: Request, reply: Reply) -> None:
        held.append(breaker(bridge)["probes"])
        async for _ in request.body:
            pass
        held.append(breaker(bridge)["probes"])
        await answers.wait()
        await reply.answer(200, JSON, b"{}")

    async def either(request: Request, reply: Reply) -> None:
        await (slow if slowly else provider)(request, reply)

    await network.answer("openai", either)
    async with network.bridge(**BREAKER) as bridge, trio.open_nursery() as nursery:
        await half_open(bridge, provider)
        slowly = True
        for _ in range(3):
            nursery.start_soon(partial(bridge.client.post, CHAT, content=content(), headers=headers))
            await trio.sleep(5)
        assert held[1::2] == [1, 2, 3]
        refused = await ask(bridge)
        assert refused.headers["x-aibridge-reject"] == "circuit_open"
        answers.set()
    assert breaker(bridge)["state"] == "closed"


async def test_an_upload_that_ends_without_a_permit_is_refused_and_broken_off(
    autojump_clock: MockClock, network: Network
) -> None:
    """Its caller gets a reject; the provider never gets all of it, and it has no verdict."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BREAKER) as bridge:
        async with trio.open_nursery() as nursery:
            answers: list[httpx.Response] = []

            async def upload(pieces: int) -> None:
                answers.append(await ask(bridge, chunks(pieces)))

            nursery.start_soon(upload, 5)
            await trio.sleep(3)
            for _ in range(5):
                await bridge.client.post(CHAT, content=b"{}")
        [answer] = answers
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
        assert int(answer.headers["retry-after-ms"]) > 20_000
        assert b"xxxxx" not in provider.whole
        last = bridge.published(Finished)[-1]
        assert (last.reject, last.verdict) == ("circuit_open", None)
        assert breaker(bridge)["verdicts"] == {"success": 0, "failure": 5, "neutral": 0}
        assert breaker(bridge)["rejects"] == 1


@pytest.mark.parametrize(("status", "state"), [(503, "open"), (529, "open"), (429, "open"), (413, "half-open")])
async def test_a_probe_that_is_refused_early_is_judged(
    autojump_clock: MockClock, network: Network, status: int, state: str
) -> None:
    """A provider may answer before all is sent: then a failure counts, and a 413 is neutral."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BREAKER) as bridge:
        await half_open(bridge, provider)
        provider.status, provider.early = status, True
        stream = network.dial("bridge")
        await stream.send_all(head(b"transfer-encoding: chunked") + b"3\r\nabc\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 %d" % status)
        await trio.sleep(8)
        assert breaker(bridge)["state"] == state
        assert breaker(bridge)["probes"] == 0
        await stream.aclose()


async def test_unfinished_uploads_open_nothing_and_close_nothing(
    autojump_clock: MockClock, network: Network
) -> None:
    """Callers that leave in the middle of their uploads leave it half-open, with no permit held."""
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(**BREAKER) as bridge:
        await half_open(bridge, provider)
        for _ in range(6):
            stream = network.dial("bridge")
            await stream.send_all(head(b"content-length: 100") + b"x" * 99)
            await trio.sleep(1)
            await stream.aclose()
            await trio.sleep(1)
        assert (breaker(bridge)["state"], breaker(bridge)["probes"]) == ("half-open", 0)
