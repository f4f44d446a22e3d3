"""Each way to the bridge, and what every reject on it must look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
import trio

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network, Running

JSON = [(b"content-type", b"application/json")]
WAITS = {"retry-after-ms", "retry-after"}
RATE = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


@dataclass(frozen=True)
class Way:
    """A first segment: where it leads, whose dialect it speaks."""

    segment: str
    intercepted: str
    anthropic: bool = False

    def __str__(self) -> str:
        return self.segment


OPENAI = Way("openai", "/openai/v1/chat/completions")
ANTHROPIC = Way("anthropic", "/anthropic/v1/messages", anthropic=True)
COPILOT = Way("copilot", "/copilot/chat/completions")
UNKNOWN = Way("nowhere", "/nowhere/v1/messages")
KNOWN = (OPENAI, ANTHROPIC, COPILOT)
ALL = (*KNOWN, UNKNOWN)

# status → type
OPENAI_SAYS = {
    400: "invalid_request_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    502: "server_error",
    503: "service_unavailable_error",
    504: "server_error",
}
ANTHROPIC_SAYS = {
    400: "invalid_request_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    426: "invalid_request_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def each(*ways: Way) -> pytest.MarkDecorator:
    """Run a test for each of these first segments."""
    return pytest.mark.parametrize("way", ways, ids=str)


def assert_reject(
    answer: httpx.Response,
    way: Way,
    status: int,
    reason: str,
    message: str,
    *,
    wait: float | None = None,
    more: frozenset[str] | set[str] = frozenset(),
    final: bool = False,
) -> None:
    """Hold a reject to all that is promised of it: no header more, no key less."""
    assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (status, reason)
    assert answer.headers["content-type"] == "application/json"
    request_id = answer.headers["x-request-id"]
    said = answer.json()
    if way.anthropic:
        error: dict[str, Any] = {"type": ANTHROPIC_SAYS[status], "message": message}
        assert said == {"type": "error", "message": message, "error": error, "request_id": request_id}
    else:
        error = {"message": message, "type": OPENAI_SAYS[status], "param": None, "code": reason}
        assert said == {"message": message, "error": error, "request_id": request_id}
    shown = parsedate_to_datetime(answer.headers["date"])
    assert abs(datetime.now(UTC) - shown) < timedelta(minutes=1)
    names = {"content-type", "x-aibridge-reject", "x-request-id", "date", "content-length", *more}
    if wait is not None:
        names |= WAITS
        milliseconds = int(answer.headers["retry-after-ms"])
        assert math.floor(wait * 1000) <= milliseconds <= math.ceil(wait * 1200)
        assert int(answer.headers["retry-after"]) == max(1, math.ceil(milliseconds / 1000))
        if milliseconds > 60_000:
            names.add("x-should-retry")
            assert answer.headers["x-should-retry"] == "false"
    if final or status in (400, 403, 404, 405, 413, 426):
        names.add("x-should-retry")
        assert answer.headers["x-should-retry"] == "false"
    keys = [name.decode().lower() for name, _ in answer.headers.raw]
    assert sorted(keys) == sorted(names)


async def endless(_: Request, reply: Reply) -> None:
    """Stream an event a second, for ever."""
    await reply.start(200, [(b"content-type", b"text/event-stream")])
    while True:
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep(1)


async def overloaded(_: Request, reply: Reply) -> None:
    """Say that it is too much."""
    await reply.answer(503, JSON, b"{}")


async def ok(request: Request, reply: Reply) -> None:
    """Answer 200, once all has been read: an earlier answer would go to the caller."""
    async for _ in request.body:
        pass
    await reply.answer(200, JSON, b"{}")


async def fill(network: Network, bridge: Running, nursery: trio.Nursery) -> None:
    """Take the bridge's only slot."""
    await network.answer("openai", endless)
    nursery.start_soon(network.client("bridge", address="10.0.0.3").post, OPENAI.intercepted)
    await trio.sleep(0.5)
    assert bridge.bridge.admission.statistics().in_flight == 1


async def raw(network: Network, request: bytes) -> bytes:
    """Send bytes to the bridge; return all that comes until it closes, or is silent for a second."""
    stream = network.dial("bridge")
    await stream.send_all(request)
    answer = b""
    with trio.move_on_after(1):
        while piece := await stream.receive_some():
            answer += piece
    await stream.aclose()
    return answer
