"""A provider that fails as tests set it, in memory; and what a bridge in front of it shows."""

from __future__ import annotations

from typing import Any

import httpx
import trio

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Running

CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
WORD = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
OVERLOADED = b'data: {"error":{"code":"server_is_overloaded"}}\n\n'
RULES: dict[str, Any] = {"circuit_breaker": True, "circuit_breaker_failure_threshold": 2}
BY_KEY: dict[str, Any] = {**RULES, "circuit_breaker_429": "credential"}


class Provider:
    """Answers with a status and headers that tests set, after some seconds; keeps the bodies it got."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        self.head_after = self.body_after = 0.0
        self.ill: set[bytes] = set()  # the keys that get a 429; empty for all
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.bodies.append(b"".join([piece async for piece in request.body]))
        ill = not self.ill or request.header(b"authorization") in self.ill or b"ill" in self.bodies[-1]
        status = self.status if ill else 200
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()] if ill else []
        await trio.sleep(self.head_after)
        await reply.start(status, [*JSON, *headers])
        await trio.sleep(self.body_after)
        await reply.send(b"{}")
        await reply.end()


def breaker(bridge: Running, provider: int = 0) -> dict[str, Any]:
    """Return a provider's breaker as it stands in /status."""
    found: dict[str, Any] = bridge.bridge.status.document()["providers"][provider]["breaker"]
    return found


async def fail(bridge: Running, times: int = 2, path: str = CHAT, headers: dict[str, str] | None = None) -> None:
    """Make requests that the provider fails."""
    for _ in range(times):
        # A kept connection may end in the very moment in which virtual time jumps to.
        once = {"connection": "close", **(headers or {})}
        answer = await bridge.client.post(path, headers=once, content=b'{"model":"ill"}')
        assert "x-aibridge-reject" not in answer.headers


def reason(answer: httpx.Response) -> str:
    """Return the reason of a reject, or the status of any other answer."""
    return answer.headers.get("x-aibridge-reject") or str(answer.status_code)


ALICE = {"authorization": "Bearer sk-alice-0123456789"}
BOB = {"authorization": "Bearer sk-bob-0123456789"}
