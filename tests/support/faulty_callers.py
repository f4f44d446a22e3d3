"""Callers that ask for everything there is, and do not always wait for it."""

from __future__ import annotations

import json
from random import Random

import h11
import trio

from aibridge_trio.config.protections import PROTECTIONS
from tests.support.faulty_requests import BY_ITSELF, Ask, FaultyRequests
from tests.support.peers import BROKEN, Gone, Ledger, Peer
from tests.support.pipes import End, Pipes

# Rejects that any request may get.
_ANYBODY = {
    *PROTECTIONS.values(),
    *("queue_full", "queue_timeout", "queue_deadline", "shutting_down", "buffer_full", "line_full", "cannot_hold"),
}


class FaultyCallers:
    """Some who open connections until so many requests were made."""

    def __init__(self, network: Pipes, ledger: Ledger, draw: Random) -> None:
        self._network = network
        self._ledger = ledger
        self._draw = draw
        self._requests = FaultyRequests(ledger, draw)
        self._left = 0

    async def ask(self, requests: int, *, at_once: int = 40) -> None:
        """Make so many requests."""
        self._left = requests
        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(self._one_after_another)

    async def _one_after_another(self) -> None:
        while self._left > 0:
            await trio.sleep(self._draw.random())
            asks = self._requests.conversation(self._left)
            self._left -= len(asks)
            try:
                end = self._network.dial("bridge", f"10.0.1.{self._draw.randrange(20)}")
            except ConnectionRefusedError:
                self._ledger.outcomes["nobody there"] += len(asks)
                continue
            try:
                await self._converse(end, asks)
            finally:
                end.close()

    async def _converse(self, end: End, asks: list[Ask]) -> None:
        """Send all, receive all, and close at the end."""
        for ask in asks:
            ask.peer = Peer(end, self._draw, ask.fault)
        pipelined = self._draw.random() < 0.25
        async with trio.open_nursery() as nursery:

            async def say() -> None:
                try:
                    for before, ask in zip([None, *asks], asks, strict=False):
                        if before and not pipelined:
                            await before.answered.wait()
                        await _say(ask, self._draw)
                except Gone:
                    nursery.cancel_scope.cancel()
                except BROKEN:
                    pass  # there may be an answer all the same

            nursery.start_soon(say)
            try:
                await self._hear(end, asks)
            except (Gone, *BROKEN):
                pass
            finally:
                nursery.cancel_scope.cancel()

    async def _hear(self, end: End, asks: list[Ask]) -> None:
        heard, disturbed = b"", False
        for ask in asks:
            answer = _Answer(ask, heard)
            try:
                await answer.read()
            except BROKEN:
                answer.cut = True
            ask.answered.set()
            disturbed = disturbed or any(
                each.peer.struck or not self._ledger.disturbed.isdisjoint((each.id, each.shown)) for each in asks
            )
            self._judge(ask, answer, disturbed=disturbed)
            if answer.cut:
                return
            if answer.of_the_connection:
                return  # where a HEAD could not be understood, it has a body
            heard = answer.rest
            if answer.last:
                break
        assert not heard, f"something stands behind the last answer: {heard[:100]!r}"
        with trio.move_on_after(100 * self._draw.random()):
            while more := await end.receive_some():
                raise AssertionError(f"something came behind the last answer: {more[:100]!r}")

    def _judge(self, ask: Ask, answer: _Answer, *, disturbed: bool) -> None:
        """What a caller holds in its hands is right, or visibly broken; who was not disturbed has an answer."""
        ledger, about = self._ledger, f"request {ask.id.decode()}: {answer}"
        reject = answer.headers.get(b"x-aibridge-reject", b"").decode()
        if answer.cut:
            ledger.outcomes["cut off"] += 1
            # An answer that has begun early breaks off when its upload turns out to be too long.
            assert disturbed or ledger.ending or ask.too_long, about
            return
        if answer.of_the_connection:
            ledger.outcomes[f"refused {answer.status}"] += 1
            assert ask.malformed or disturbed, about
            assert answer.status in {400, 408}, about
            return
        self._check_id(ask, answer, about)
        if reject:
            ledger.outcomes[reject] += 1
            json.loads(answer.body or b"{}")
            self._check_reject(ask, reject, about, disturbed=disturbed)
            return
        ledger.outcomes["answered"] += 1
        if ask.target in BY_ITSELF:
            assert answer.status == 200, about
            return
        assert not ask.malformed, about
        if ask.method == b"HEAD" and disturbed:
            return  # whatever was to follow, the head of an answer is all of it
        told = ledger.told[ask.id]
        assert answer.status == told.status, about
        if told.open_ended and disturbed:  # such a body does not show where it was cut off
            assert told.body.startswith(answer.body), about
        else:
            assert answer.body == told.body, about

    def _check_id(self, ask: Ask, answer: _Answer, about: str) -> None:
        """An answer has the id that its request came with, or one of its own: the one that has gone up."""
        said = answer.headers[b"x-request-id"]
        assert said == (ask.shown or self._ledger.shown.get(ask.id, said)), about
        if not ask.shown:
            assert said not in self._ledger.given, about
            self._ledger.given.add(said)

    def _check_reject(self, ask: Ask, reject: str, about: str, *, disturbed: bool) -> None:
        if disturbed or reject in _ANYBODY:
            return
        if ask.target in BY_ITSELF:
            assert reject in {"not_found", "bad_request"}, about
        elif reject == "body_too_large":
            assert ask.too_long, about
        else:
            # A provider that takes nothing for a minute keeps its caller from sending: that looks like a silence.
            assert reject in {"upstream_unreachable", "upstream_timeout"}, about
            self._ledger.unexplained += 1
            self._ledger.outcomes[reject + ", unexplained"] += 1


async def _say(ask: Ask, draw: Random) -> None:
    if ask.in_one:
        await ask.peer.end.send_all(ask.head + ask.wire)
        return
    await ask.peer.say(ask.head)
    if ask.expects:
        with trio.move_on_after(10 * draw.random()):
            await ask.invited.wait()
        if ask.refused:
            return
    await ask.peer.say(ask.wire)


class _Answer:
    """An answer as it arrives, read by another parser."""

    def __init__(self, ask: Ask, heard: bytes) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.cut = False
        self.last = False
        self.rest = b""
        self._ask = ask
        self._parser = h11.Connection(h11.CLIENT)
        self._parser.send(h11.Request(method=ask.method, target="/", headers=[("host", "b")]))
        if heard:
            self._parser.receive_data(heard)

    def __repr__(self) -> str:
        end = ", cut" if self.cut else ""
        return f"{self.status} {self.headers} {self.body[:80]!r} … {len(self.body)} bytes{end}"

    @property
    def of_the_connection(self) -> bool:
        """Whether it is the connection's own word, without a request that was understood."""
        return not self.cut and b"x-request-id" not in self.headers

    async def read(self) -> None:
        """Read to its end, or until it breaks."""
        ask = self._ask
        while True:
            match await self._next():
                case h11.InformationalResponse():
                    ask.invited.set()
                case h11.Response() as head:
                    self.status = head.status_code
                    self.headers = dict(head.headers)
                    self.last = self.headers.get(b"connection") == b"close"
                    ask.refused = True
                    ask.invited.set()
                case h11.Data(data=data):
                    self.body += data
                case h11.EndOfMessage():
                    self.rest = bytes(self._parser.trailing_data[0])
                    return
                case _:
                    self.cut = True
                    return

    async def _next(self) -> h11.Event | None:
        data = b"?"
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(data := await self._ask.peer.hear())
        except h11.RemoteProtocolError as error:
            if data:
                raise AssertionError("the bridge sent what is no answer") from error
            return None
        assert not isinstance(event, type)
        return event
