"""Callers that come and go, misbehave as they were drawn, and look at what they get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

import trio

from bench.soak import asks
from bench.soak.asks import Ask, Fault, Visit, Where
from bench.soak.ends import BROKEN, End, connect
from bench.soak.reader import Ended, Head, Reader

# So many connections at once: more than the bridge has slots, so that it is full now and then.
AT_ONCE = 96
# Nothing that the bridge waits for takes as long in this run (seconds): who still waits then, waits for ever.
PATIENCE = 40.0
# A caller that waits for 100 Continue sends its body anyway after this time (seconds).
_UNINVITED = 0.2
# A rejected caller pauses before its next request (seconds); else rejects would be most of the load.
_BACK_OFF = 0.4
# Larger bodies are sent while the answer is read, which may come before their end.
_LARGE = 16 * 1024
# How much of an answer (bytes) may come before a caller's fault strikes.
_DEEP = 8_000
_OK = 200


class _Left(Exception):
    """The caller has gone, as it was drawn."""


class Callers:
    """Make visits, as many at once as `AT_ONCE`. `complain` is called with what no caller may ever see."""

    def __init__(self, port: int, seed: int, complain: Callable[[str], None]) -> None:
        self.requests = 0
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._seed = seed
        self._complain = complain
        self._draw = Random(seed)
        self._visits = 0

    async def come(self, requests: float, until: float) -> None:
        """Visit until there were so many requests, or until that time; return when the last has left."""
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(self._one_after_another, requests, until)

    async def introduce(self, callers: int) -> None:
        """Ask once for each of so many credentials, so that tables that are bounded by number are full."""
        end = await connect(self._port)
        try:
            reader = Reader(end.hear)
            for number in range(callers):
                await end.send(
                    b"GET / HTTP/1.1\r\nhost: localhost\r\nx-api-key: sk-soak-first-%d\r\n\r\n" % number
                )
                await reader.body(await reader.head())
        finally:
            end.close()

    async def _one_after_another(self, requests: float, until: float) -> None:
        while self.requests < requests and trio.current_time() < until:
            number = self._visits
            visit = asks.visit(self._seed, number)
            self._visits += 1
            self.requests += len(visit.asks)
            with trio.move_on_after(PATIENCE) as scope:
                if await self._visit(visit):
                    await trio.sleep(_BACK_OFF * self._draw.random())
            if scope.cancelled_caught:
                self._complain(f"visit {number} had no end after {PATIENCE:g} s: {visit.fault}")

    async def _visit(self, visit: Visit) -> bool:
        """Make a visit; tell whether its last answer was a reject."""
        try:
            end = await connect(self._port, address=visit.address, narrow=bool(visit.fault))
        except OSError:
            self.outcomes["no connection"] += len(visit.asks)
            return True
        try:
            return await self._converse(end, visit)
        except _Left:
            self.outcomes["left"] += 1
        except (Ended, *BROKEN):
            self.outcomes["cut off"] += 1
        finally:
            end.close()
        return False

    async def _converse(self, end: End, visit: Visit) -> bool:
        [*_, last] = visit.asks
        caller = _Caller(end)
        if visit.pipelined:
            await end.send(b"".join(ask.head + ask.body for ask in visit.asks[:-1]))
        for ask in visit.asks:
            caller.fault = visit.fault if ask is last else None
            await self._ask(caller, ask, said=visit.pipelined and ask is not last)
            if caller.dismissed:
                break
        return caller.refused

    async def _ask(self, caller: _Caller, ask: Ask, *, said: bool) -> None:
        if said:
            await self._hear(caller, ask)
        elif len(ask.body) < _LARGE:
            with suppress(*BROKEN):  # there may be an answer all the same
                await caller.say(ask)
            await self._hear(caller, ask)
        else:
            await self._say_and_hear(caller, ask)

    async def _say_and_hear(self, caller: _Caller, ask: Ask) -> None:
        left = False

        async def say() -> None:
            nonlocal left
            try:
                with suppress(*BROKEN):
                    await caller.say(ask)
            except _Left:
                left = True
                nursery.cancel_scope.cancel()

        # What hearing ends with must not come out of a nursery, which would wrap it.
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            try:
                await self._hear(caller, ask)
            except (_Left, Ended, *BROKEN) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if left:
            raise _Left
        if failure:
            raise failure

    async def _hear(self, caller: _Caller, ask: Ask) -> None:
        head = await caller.answer()
        body = b"" if ask.to_head else await caller.body(head)
        reject = head.fields.get(b"x-aibridge-reject", b"").decode("latin-1")
        self.outcomes[reject or str(head.status)] += 1
        caller.refused = bool(reject)
        caller.dismissed = head.fields.get(b"connection") == b"close"
        whose = head.fields.get(b"x-request-id", ask.id)
        theirs = head.status == _OK and b'"id"' in body and ask.id + b'"' not in body
        if whose != ask.id or theirs:
            self._complain(f"{ask.id.decode()} got another request's answer: {head.fields} {body[:80]!r}")
        if reject == "internal_error":
            self._complain(f"{ask.id.decode()} got internal_error")


class _Caller:
    """One caller on its connection; its fault strikes once."""

    def __init__(self, end: End) -> None:
        self.fault: Fault | None = None
        self.dismissed = self.refused = False
        self._end = end
        self._reader = Reader(self._listen)
        self._invited = trio.Event()
        self._heard = 0

    async def say(self, ask: Ask) -> None:
        """Send a request, as far as that goes."""
        await self._send(ask.head, "head")
        if ask.expects:
            with trio.move_on_after(_UNINVITED):
                await self._invited.wait()
        if ask.body:
            await self._send(ask.body, "upload")
        await self._strike("wait")
        self._heard = 0

    async def answer(self) -> Head:
        """Read a head that is the last word."""
        while (head := await self._reader.head()).status < _OK:
            self._invited.set()
        self._invited.set()
        return head

    async def body(self, head: Head) -> bytes:
        """Read a body."""
        return await self._reader.body(head, open_ended=True)

    async def _send(self, data: bytes, where: Where) -> None:
        at = len(data)
        if self.fault and self.fault.where == where:
            at = int(at * self.fault.part)
        await self._end.send(data[:at])
        if at < len(data):
            await self._strike(where)
            await self._end.send(data[at:])

    async def _listen(self) -> bytes | bytearray:
        if self.fault and self._heard >= int(_DEEP**self.fault.part) - 1:
            await self._strike("answer")
        data = await self._end.hear()
        self._heard += len(data)
        return data

    async def _strike(self, where: Where) -> None:
        fault = self.fault
        if fault is None or fault.where != where:
            return
        self.fault = None
        await trio.sleep(fault.seconds)
        match fault.what:
            case "leaves":
                self._end.close()
                raise _Left
            case "resets":
                self._end.reset()
                raise _Left
            case "finishes":
                self._end.finish()
            case "stalls":
                pass
