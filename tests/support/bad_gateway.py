"""A small gateway that does all that the scorecard asks for, or fails in one of its twenty-one ways.

No model of a gateway: it knows the traffic of the scorecard and nothing else, one request a connection. Bytes go
through as they are, so that what is broken stays broken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

from bench.scorecard.caller import Way
from bench.scorecard.scene import Gate, Metrics
from bench.scorecard.terms import Setup, Terms

_FOR_EVER = 3600.0
_READ = 64 * 1024


@dataclass(slots=True)
class Asked:
    """A request's head, and what has come of its body."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def caller(self) -> str:
        """A caller."""
        return self.headers.get("authorization", "")


@dataclass(slots=True)
class Breaker:
    """Closed, open until a time, or half-open: that time has passed, and no probe has succeeded yet."""

    terms: Terms
    threshold: int
    bad: int
    failures: int = 0
    until: float | None = None
    probes: int = 0
    rejects: int = 0

    def admit(self) -> float | None:
        """Return None for a permit, else the seconds to wait."""
        left = (self.until or 0.0) - trio.current_time()
        if self.until is None:
            return None
        if left <= 0 and (self.probes < self.terms.probes or self.bad == 8):
            self.probes += 1
            return None
        self.rejects += 1
        return None if self.bad == 7 and self.rejects % 3 == 0 else max(left, 0.1)

    def failed(self, wait: float = 0.0) -> None:
        """Count a failure; `wait` is what the provider has told."""
        self.failures += 1
        if self.failures >= self.threshold:
            cooldown = self.terms.cooldown * (50 if self.bad == 17 else 1)
            self.until = trio.current_time() + max(cooldown, 0.0 if self.bad == 12 else wait)
            self.probes = 0

    def succeeded(self) -> None:
        """Close."""
        self.failures, self.until = 0, None


@dataclass(slots=True)
class Gateway:
    """The gateway; `bad` is the number of the question that it fails, 0 for none."""

    provider: int
    setup: Setup
    terms: Terms
    bad: int
    breaker: Breaker
    active: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve a connection, whatever its caller does."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            async with stream:
                asked = await _head(stream)
                if asked is None:
                    return
                await self._answer(stream, asked)
                # Left unread bytes would reset the connection under the answer.
                await stream.send_eof()
                with trio.move_on_after(0.2):
                    while await stream.receive_some(_READ):
                        pass

    async def _answer(self, stream: trio.SocketStream, asked: Asked) -> None:
        if asked.target == "/metrics":
            state = 0 if self.breaker.until is None or self.bad == 20 else 1
            text = f"state {state}\nrejects {self.breaker.rejects}\n"
            await _say(stream, "200 OK", text)
            return
        if {"content-length", "transfer-encoding"} <= asked.headers.keys() and self.bad != 19:
            await _say(stream, "400 Bad Request", "")
            return
        reason = self._turned_away(asked.caller)
        if reason:
            await self._reject(stream, asked, *reason)
            return
        self.active[asked.caller] += 1
        self.admitted[asked.caller] += 1
        try:
            await self._serve_from_provider(stream, asked)
        finally:
            self.active[asked.caller] -= 1

    def _turned_away(self, caller: str) -> tuple[str, float] | None:
        full = "503 Service Unavailable", 1.0
        match self.setup:
            case Setup.FULL if self.active.total() >= self.terms.limit:
                return full
            case Setup.FAIR if self.active.total() >= self.terms.slots:
                return full
            case Setup.FAIR if self.active[caller] >= self.terms.share and self.bad != 21:
                return full
            case Setup.CALLERS if self._spent(caller) >= self.terms.rate:
                return "429 Too Many Requests", 1.0
            case Setup.BREAKER | Setup.TOLD if (wait := self.breaker.admit()) is not None:
                return "503 Service Unavailable", wait
        return None

    def _spent(self, caller: str) -> int:
        return self.admitted.total() if self.bad == 5 else self.admitted[caller]

    async def _reject(self, stream: trio.SocketStream, asked: Asked, status: str, wait: float) -> None:
        if self.bad == 1:
            await trio.sleep(self.terms.at_once * 1.2)
        if self.bad == 15:
            await _whole_body(stream, asked)
        await _say(stream, status, "{}", "" if self.bad == 2 else f"Retry-After: {wait:.0f}\r\n")

    async def _serve_from_provider(self, stream: trio.SocketStream, asked: Asked) -> None:
        body = await _whole_body(stream, asked)
        for attempt in range(3 if self.bad == 6 else 1):
            async with trio.open_nursery() as nursery:
                if self.bad != 4:
                    nursery.start_soon(self._watch, stream, nursery.cancel_scope)
                relay = Relay(self, stream, last=attempt == 2 or self.bad != 6)
                await relay.run(body)
                nursery.cancel_scope.cancel()
            if relay.status not in (0, 503):
                return

    async def _watch(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        """End the request when its caller leaves."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.receive_some(1)
        if self.bad == 3:
            self.active["nobody"] += 1  # a slot that never comes back
        scope.cancel()


@dataclass(slots=True)
class Relay:
    """One request to the provider and its answer back; only the `last` attempt relays a 503 or a break."""

    gateway: Gateway
    caller: trio.SocketStream
    last: bool
    status: int = 0

    async def run(self, body: bytes) -> None:
        """Ask, relay, judge."""
        gateway = self.gateway
        if gateway.bad == 14:
            body = body.replace(b"1.0e0", b"1.000")
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", gateway.provider)
        except OSError:
            if gateway.bad != 11:
                gateway.breaker.failed()
            await _say(self.caller, "502 Bad Gateway", "")
            return
        async with stream:
            await stream.send_all(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            try:
                await self._back(stream)
            except trio.BrokenResourceError:
                gateway.breaker.failed()
                if self.last and not self.status:
                    await _say(self.caller, "502 Bad Gateway", "")

    async def _back(self, stream: trio.SocketStream) -> None:
        gateway = self.gateway
        heard, tail = b"", b""
        while data := await stream.receive_some(_READ):
            if not self.status:
                heard += data
                if b"\r\n\r\n" not in heard:
                    continue
                data = heard
                self._judge_head(heard.partition(b"\r\n\r\n")[0].decode().lower())
            if b"server_is_overloaded" in tail[-32:] + data and self.status == 200 and gateway.bad != 10:
                gateway.breaker.failed()
            tail = (tail + data)[-32:]
            if not self.last and self.status == 503:
                return
            with trio.move_on_after(_FOR_EVER if gateway.bad == 16 else gateway.terms.stall / 3) as late:
                await self.caller.send_all(data)
            if late.cancelled_caught:
                return
        if not self.status:
            raise trio.BrokenResourceError
        if gateway.bad == 13 and not tail.endswith(b"0\r\n\r\n"):
            await self.caller.send_all(b"0\r\n\r\n")

    def _judge_head(self, head: str) -> None:
        breaker = self.gateway.breaker
        self.status = int(head.split()[1])
        if self.status in (429, 503) or (self.gateway.bad == 9 and self.status == 400):
            told = re.search(r"^retry-after: (\d+)", head, re.MULTILINE)
            breaker.failed(float(told[1]) if told and self.gateway.setup is Setup.TOLD else 0.0)
        elif self.status == 200 and breaker.until is not None:
            breaker.succeeded()


async def _head(stream: trio.SocketStream) -> Asked | None:
    heard = b""
    while b"\r\n\r\n" not in heard:
        data = await stream.receive_some(_READ)
        if not data:
            return None
        heard += data
    head, _, body = heard.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(first.split()[1], headers, body)


async def _whole_body(stream: trio.SocketStream, asked: Asked) -> bytes:
    body = bytearray(asked.body)
    while len(body) < int(asked.headers["content-length"]):
        data = await stream.receive_some(_READ)
        if not data:
            break
        body += data
    if "transfer-encoding" in asked.headers:
        return bytes(body).split(b"\r\n")[1]
    return bytes(body)


async def _say(stream: trio.SocketStream, status: str, body: str, more: str = "") -> None:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    await stream.send_all((head + body).encode())


@asynccontextmanager
async def a_gateway(provider: int, setup: Setup, terms: Terms, bad: int = 0) -> AsyncIterator[Gate]:
    """Run it on a free port."""
    breaker = Breaker(terms, 1 if setup is Setup.TOLD else terms.threshold, bad)
    gateway = Gateway(provider, setup, terms, bad, breaker)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    accepting, serving = trio.CancelScope(), trio.CancelScope()

    async def accept(nursery: trio.Nursery) -> None:
        with accepting:
            await trio.serve_listeners(gateway.serve, [listener], handler_nursery=nursery)

    async def serve() -> None:
        with serving:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept, nursery)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        end: Callable[[], None] = (serving if bad == 18 else accepting).cancel
        yield Gate(
            way=Way(port, "/v1/chat/completions"),
            metrics=Metrics(port, "/metrics", "state", "rejects"),
            terminate=end,
        )
        nursery.cancel_scope.cancel()
