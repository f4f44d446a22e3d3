"""One side of the comparison: a mock provider, the callers' way to it, and what became of their requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from aibridge_trio.demo.callers import OK, Arrival, Result, ask
from aibridge_trio.demo.incidents import HEALTHY
from aibridge_trio.mock import Mock
from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.simulate.world.clients import BROKEN, Headers

# The number of a request, by which its calls are counted at the mock; bridges pass the header on.
_NUMBER = "x-client-request-id"
_QUESTION = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some requests that have ended.

    `failed` got an error or left; `calls` reached the provider; `longest` is the longest wait for the first token
    of an answer (seconds, None without answers).
    """

    answered: int
    failed: int
    calls: int
    longest: float | None

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return self.answered + self.failed

    @property
    def wasted(self) -> int:
        """How many calls gave no caller an answer."""
        return self.calls - self.answered


class Side:
    """One side; `url` is the base URL that callers use. `app` is the mock, which counts the calls."""

    def __init__(self) -> None:
        self.mock = Mock(HEALTHY, wall_clock=lambda: datetime.now(UTC).timestamp())
        self.url = ""
        self._calls: Counter[int] = Counter()
        self._results: dict[int, Result] = {}
        # Callers wait as long as their patience lasts, and never for each other's connections.
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)  # noqa: S113 - see above

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call by the mock, and count it for its request."""
        for name, value in scope.get("headers", ()):
            if name == _NUMBER.encode():
                self._calls[int(value)] += 1
        await self.mock.app(scope, receive, send)

    async def ask(self, number: int, arrival: Arrival, patience: float) -> None:
        """Send a request as its client does, and record what becomes of it under its number."""
        headers = {"authorization": f"Bearer sk-demo-0123456789-caller-{arrival.caller}", _NUMBER: str(number)}

        async def send(result: Result) -> tuple[int, Headers]:
            try:
                async with self._client.stream(
                    "POST", f"{self.url}/chat/completions", json=_QUESTION, headers=headers
                ) as answer:
                    async for piece in answer.aiter_raw():
                        if answer.status_code == OK:
                            result.feed(piece)
            except httpx.HTTPError:
                return BROKEN, ()
            return answer.status_code, [(name.lower(), value) for name, value in answer.headers.raw]

        self._results[number] = await ask(send, arrival, patience)

    def outcome(self, numbers: Iterable[int] | None = None) -> Outcome:
        """Return what became of these requests, or of all, as far as they have ended."""
        ended = [each for each in (self._results if numbers is None else numbers) if each in self._results]
        answered = [self._results[each] for each in ended if self._results[each].answered]
        return Outcome(
            answered=len(answered),
            failed=len(ended) - len(answered),
            calls=sum(self._calls[each] for each in ended),
            longest=max((each.wait for each in answered if each.wait is not None), default=None),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
