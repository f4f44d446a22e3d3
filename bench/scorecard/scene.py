"""What a question has in hand: a running gateway, the provider behind it, callers in front of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from bench.scorecard.caller import Answer, Broken, Call, Way, calling, fetch, question
from bench.scorecard.provider import ALWAYS, Provider
from bench.scorecard.terms import REJECTED, Terms

_OK = 200
# Words after which a held stream falls silent; some gateways keep the first ones back.
_SAID = 4


class No(Exception):
    """The answer is no; `str()` is the evidence."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where metrics are read, and which samples tell a breaker's state and count its refusals."""

    port: int
    path: str
    state: str
    rejects: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A running gateway: the way in, its metrics, and what sends it SIGTERM (None if it was running before)."""

    way: Way
    metrics: Metrics | None = None
    terminate: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Gateway, provider and terms of one question."""

    gate: Gate
    provider: Provider
    terms: Terms

    async def ask(self, caller: str = "a", *, stream: bool = False, body: bytes | None = None) -> Answer:
        """Ask once and read to the end; who gets no answer in time gets status 0."""
        asked = self.gate.way.request(caller, question(stream=stream) if body is None else body)
        began = trio.current_time()
        with trio.move_on_after(self.terms.patience):
            try:
                async with calling(self.gate.way.port) as call:
                    await call.send(asked)
                    return await call.answer(began)
            except (OSError, trio.BrokenResourceError) as error:
                return Answer(seconds=trio.current_time() - began, trouble=str(error))
        return Answer(seconds=self.terms.patience, trouble=f"none in {self.terms.patience:g} s")

    @asynccontextmanager
    async def holding(self, *, stream: bool, caller: str = "a") -> AsyncIterator[Call]:
        """Hold a request that the provider works on, at its end hang up. A stream has begun and is silent."""
        before = await self.provider.in_flight()
        held: dict[str, Any] = {"delay": 600} if not stream else {"fault": "stall", "after": _SAID}
        await self.provider.script(held)
        async with calling(self.gate.way.port) as call:
            await call.send(self.gate.way.request(caller, question(stream=stream)))
            with trio.move_on_after(self.terms.patience) as waited:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._refused, call, nursery.cancel_scope)
                    await self.provider.working_on_more_than(before)
                    if not stream:
                        nursery.cancel_scope.cancel()
            if waited.cancelled_caught:
                raise No(f"a request that should be served was not in {self.terms.patience:g} s")
            yield call

    async def _refused(self, call: Call, until: trio.CancelScope) -> None:
        """Wait for the head of what shall be held, and the beginning of a body."""
        try:
            status, _ = await call.head()
            if status != _OK:
                raise No(f"a request within the limit was answered with {status}")
            await call.more()
        except Broken as broken:
            raise No(f"a request within the limit was not answered: {broken}") from None
        until.cancel()

    async def rest(self) -> None:
        """Let slots come back that callers have left, as long as they may take for it."""
        await self.provider.fresh()
        await trio.sleep(self.terms.back)

    @asynccontextmanager
    async def full(self, *, but: int = 0) -> AsyncIterator[None]:
        """Hold as many requests as are allowed, less `but`: streamed and not in turn."""
        async with AsyncExitStack() as stack:
            for number in range(self.terms.limit - but):
                await stack.enter_async_context(self.holding(stream=number % 2 == 0))
            yield

    async def reached(self, ask: Callable[[], Awaitable[Answer]] | None = None) -> tuple[bool, Answer]:
        """Ask once; return whether it has reached the provider, and the answer."""
        before = await self.provider.calls()
        answer = await (ask() if ask else self.ask())
        return await self.provider.calls() > before, answer

    async def fails_until_refused(self, answer: dict[str, Any], *, stream: bool = False) -> int | None:
        """Have the provider answer so; return after how many the gateway says no by itself, None if it never does.

        Twice as many as the threshold are tried.
        """
        await self.provider.script({**answer, "times": ALWAYS})
        for number in range(2 * self.terms.threshold + 1):
            reached, _ = await self.reached(lambda: self.ask(stream=stream))
            if not reached:
                return number
        return None

    async def opened(self) -> int:
        """Make the breaker open by 503s; return how many it took. The provider goes on failing."""
        failures = await self.fails_until_refused({"status": 503})
        if failures is None:
            raise No(
                f"nothing opens: request {2 * self.terms.threshold + 1} after as many 503 reached the provider"
            )
        return failures

    async def samples(self) -> tuple[dict[str, float], float]:
        """Read the metrics: samples that tell the state, and the sum of the counted refusals."""
        metrics = self.gate.metrics
        if metrics is None:
            raise No("has no metrics of a breaker")
        answer = await fetch(metrics.port, "GET", metrics.path)
        if answer.status != _OK:
            raise No(f"{metrics.path} answers with {answer}")
        found = re.findall(r"^([^#\s]+(?:\{.*\})?) (\S+)", answer.body.decode(), re.MULTILINE)
        state = {name: float(value) for name, value in found if re.match(metrics.state, name)}
        return state, sum(float(value) for name, value in found if re.match(metrics.rejects, name))


def rejected(answer: Answer) -> bool:
    """Tell whether an answer says "not now", and comes to its end."""
    return answer.status in REJECTED and not answer.trouble


def told(answer: Answer) -> float | None:
    """Return the seconds that an answer tells its caller to wait, None if it does not."""
    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return float(answer.headers[name]) / scale
        except (KeyError, ValueError):
            continue
    return None


def milliseconds(seconds: float) -> str:
    """Return a short time as text."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"
