"""A simulated scenario, played by the real program: its whole path in memory and in virtual time.

Callers and provider are the simulator's own, with Trio's clock for a heap. Between them is no model but HTTP: a
client that calls the bridge, the bridge as it is served, and a provider that answers over a connection.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import httpx
import trio

from aibridge_trio.http.message import Reply, Request
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.scenario.demand import requests
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.settings import KNOWN
from aibridge_trio.simulate.world.call import GONE, Call
from aibridge_trio.simulate.world.callers import Callers
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.provider import Provider
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
CONTENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
OVERLOADED = b'data: {"error":{"type":"overloaded_error","code":"server_is_overloaded","message":"x"}}\n\n'
DONE = b"data: [DONE]\n\n"


class TrioTime:
    """Does things at their time, as the engine does, on Trio's clock."""

    def __init__(self) -> None:
        self._start = trio.current_time()
        self._due: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._count = 0
        self._earlier = trio.Event()

    @property
    def now(self) -> float:
        return trio.current_time() - self._start

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, do, what))
        self._earlier.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._earlier = trio.Event()
            next_due = self._due[0][0] if self._due else float("inf")
            with trio.CancelScope(deadline=self._start + next_due):
                await self._earlier.wait()
            while self._due and self._due[0][0] <= self.now + 1e-9:
                _, _, do, what = heapq.heappop(self._due)
                do(what)


class Upstream:
    """The simulated provider behind a real connection."""

    def __init__(self, provider: Provider, calls: dict[bytes, Call], measure: Measure, time: TrioTime) -> None:
        self.provider = provider
        provider.listener = self
        self._calls = calls
        self._measure = measure
        self._time = time
        self._mouths: dict[Call, trio.MemorySendChannel[tuple[Any, ...]]] = {}

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer as the model says."""
        body = b"".join([piece async for piece in request.body])
        call = self._calls[body]
        mouth, ear = trio.open_memory_channel[tuple[Any, ...]](10)
        self._mouths[call] = mouth
        good = False
        self._measure.sent(call, trio.current_time())
        try:
            self.provider.call(call)
            async for what, *rest in ear:
                match what:
                    case "first":
                        await reply.start(200, [*SSE, *call.head])
                        await reply.send(CONTENT)
                    case "ended":
                        await reply.send(DONE)
                        good = True
                        await reply.end()
                    case "answered":
                        status, headers = rest
                        await reply.answer(status, [*JSON, *headers], b"{}")
                    case "overloaded":
                        await reply.start(200, SSE)
                        await reply.send(OVERLOADED)
                        await reply.end()
                if what != "first":
                    return  # without an end it breaks off
        finally:
            # The bridge may have sent the call again before this end of it.
            if self._mouths[call] is mouth:
                if call.stage != GONE:
                    self.provider.cancel(call)
                del self._mouths[call]
            self._measure.came_back(good=good, now=self._time.now)

    def head(self, call: Call, headers: Headers) -> None:
        pass  # call.head has them

    def first_token(self, call: Call) -> None:
        self._say(call, "first")

    def completed(self, call: Call) -> None:
        self._say(call, "ended")

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        assert not exhausted
        self._say(call, "answered", status, headers)

    def broke(self, call: Call, phase: str) -> None:
        assert phase != "connect"
        self._say(call, "broke")

    def overloaded(self, call: Call) -> None:
        self._say(call, "overloaded")

    def _say(self, call: Call, *what: Any) -> None:
        if call in self._mouths:
            self._mouths[call].send_nowait(what)


class RealBridge:
    """A real client of the real bridge, for simulated callers."""

    def __init__(self, client: httpx.AsyncClient, callers: Callers, nursery: trio.Nursery) -> None:
        self._client = client
        self._callers = callers
        self._nursery = nursery
        self.calls: dict[bytes, Call] = {}
        self._scopes: dict[Call, trio.CancelScope] = {}

    def call(self, call: Call) -> None:
        # In the body: beside a central key the bridge does not send headers that it does not know.
        name = b'{"user":"%d"}' % len(self.calls)
        self.calls[name] = call
        self._scopes[call] = trio.CancelScope()
        self._nursery.start_soon(self._carry, name, call)

    def cancel(self, call: Call) -> None:
        self._scopes[call].cancel()

    async def _carry(self, name: bytes, call: Call) -> None:
        headers = [(b"authorization", b"Bearer key-%d" % call.request.caller)]
        with self._scopes[call]:
            try:
                async with self._client.stream("POST", CHAT, headers=headers, content=name) as response:
                    if response.status_code != 200:
                        await response.aread()
                        said = [(key.lower(), value) for key, value in response.headers.raw]
                        self._callers.answered(call, response.status_code, said)
                        return
                    seen = b""
                    async for piece in response.aiter_raw():
                        seen += piece
                        if CONTENT in seen and not call.begun:
                            call.begun = True
                            self._callers.first_token(call)
                if b'"error"' in seen:
                    self._callers.overloaded(call)
                else:
                    assert seen.endswith(DONE)
                    self._callers.completed(call)
            except httpx.TransportError:
                self._callers.broke(call, "stream" if call.begun else "head")


async def play(network: Network, scenario: Scenario, seed: int, **options: Any) -> Outcome:
    """Play a scenario with the real program; return what the simulator's own measure says of it.

    `options` are settings besides the scenario's.
    """
    time, measure = TrioTime(), Measure(scenario)
    provider = Provider(scenario, time)
    callers = Callers(requests(scenario, seed), time, measure)
    # What is not at its default: a setting that the program has no option for yet must not be asked of it.
    told = {
        name: value
        for name, value in scenario.settings.items()
        if value != KNOWN[name].unit.parse(KNOWN[name].default or "")
    }
    async with network.bridge(**told, **options) as bridge, trio.open_nursery() as nursery:
        target = RealBridge(bridge.client, callers, nursery)
        callers.target = target
        upstream = Upstream(provider, target.calls, measure, time)
        await network.answer("openai", upstream.handle)
        nursery.start_soon(time.run)
        await trio.sleep(scenario.duration + max(group.patience for group in scenario.groups) + 60)
        nursery.cancel_scope.cancel()
    return measure.outcome("real")
