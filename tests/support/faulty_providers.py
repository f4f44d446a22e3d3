"""Providers that answer in every way there is, and in some that there should not be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random

import h11
import trio

from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES
from aibridge_trio.http.response_parser import LAST_CHUNK, chunk
from tests.support.peers import BROKEN, Fault, Gone, Ledger, Peer, Told
from tests.support.pipes import End

_PHRASES = {200: b"OK", 429: b"Too Many Requests", 500: b"Internal Server Error", 503: b"Unavailable", 529: b""}
_SECOND = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond"
_ID = re.compile(rb'\{"id": "([0-9]+)"')
# What is said in place of an answer, and what of it no caller may ever see.
NONSENSE = {
    "nothing": b"",
    "garbage": bytes(range(256)),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a switch": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx",
    "interim answers alone": b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
    "a long head": b"HTTP/1.1 200 OK\r\n" + b"x: %s\r\n" % (b"y" * 1000) * 80,
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "length and chunks": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "too little": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
}


class Plan:
    """What a provider does with the next request."""

    def __init__(self, draw: Random) -> None:
        self.fault = Fault.drawn(draw, 20_000) if draw.random() < 0.15 else None
        self.status = draw.choice((*[200] * 12, 429, 500, 503, 529))
        self.nonsense = draw.choice(list(NONSENSE)) if draw.random() < 0.05 else ""
        self.early = draw.random() < 0.1
        self.interim = draw.random() < 0.1
        self.framing = draw.choice(("sized", "sized", "chunked", "chunked", "until close"))
        self.size = int(100_000 ** draw.random())
        self.pause = draw.choice((0.0, 0.0, 0.05, 2.0))
        self.more = draw.random() < 0.1  # says more than its answer, if that is chunked
        self.leaves = draw.choice((*[0] * 8, 1, 2))  # not, at once, after a while


class FaultyProvider:
    """One host."""

    def __init__(self, ledger: Ledger, draw: Random, plans: Callable[[Random], Plan] = Plan) -> None:
        self._plans = plans
        self._ledger = ledger
        self._draw = draw
        self._before: dict[End, bytes] = {}
        self._rest: dict[End, bytes] = {}  # what came behind a request, and belongs to the next

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Speak on one connection, to its end."""
        assert isinstance(stream, End)
        try:
            while await self._answer_one(stream):
                pass
        except (Gone, *BROKEN):
            pass
        finally:
            stream.close()
            self._before.pop(stream, None)
            self._rest.pop(stream, None)

    async def _answer_one(self, end: End) -> bool:
        draw, plan = self._draw, self._plans(self._draw)
        peer = Peer(end, draw, plan.fault, tell=lambda: self._note(reading))
        reading = Reading(peer, self._rest.pop(end, b""))
        if not await reading.head():
            return False
        self._ledger.arrived[reading.id] += 1
        self._check_head(reading)
        if reading.id in self._ledger.whole:
            told = self._ledger.told.get(reading.id)
            assert told, f"{reading.id!r} was sent again, and its answer had not begun"
            assert told.status in OVERLOAD_STATUSES, f"{reading.id!r} was sent again behind {told}"
        if plan.early and plan.framing == "until close":
            self._note(reading)  # to close with bytes unread may take the answer back
        if not plan.early and not await self._whole(reading):
            return False
        if plan.nonsense:
            self._note(reading)
            await peer.say(NONSENSE[plan.nonsense])
            return False
        closes = await self._say(peer, plan, reading)
        if closes or (plan.early and not await self._whole(reading)):
            return False
        if plan.leaves == 2:
            await trio.sleep(draw.random() * 20)
        self._before[end] = reading.id
        self._rest[end] = reading.unread
        # A request that the bridge has begun to send on this connection again fails at its end.
        self._ledger.blind_faults += bool(plan.leaves and not end.silent)
        return not plan.leaves

    def _check_head(self, reading: Reading) -> None:
        """What has come up is what its caller sent, whatever came before it on the same connections."""
        assert reading.id in self._ledger.asked, f"nobody asked {reading.id!r}"
        asked = self._ledger.asked[reading.id]
        self._ledger.shown[reading.id] = reading.shown
        assert asked.target.endswith(reading.target), f"{reading.id!r} went to {reading.target!r}"
        if asked.headers is not None:
            arrived = [header for header in reading.headers if header[0] in {b"authorization", b"x-mark"}]
            assert sorted(arrived) == sorted(asked.headers), f"{reading.id!r} has another head: {arrived}"

    def _note(self, reading: Reading) -> None:
        """Note whom a fault hits, if that is known: it may be who is still reading the answer before."""
        self._ledger.disturbed.add(reading.id or reading.shown or self._before.get(reading.end, b""))
        self._ledger.blind_faults += not reading.id

    async def _whole(self, reading: Reading) -> bool:
        """Read the rest of the request; tell whether all came. If so, it is what was asked."""
        body = await reading.rest()
        assert body in (None, self._ledger.asked[reading.id].body), f"another body arrived for {reading.id!r}"
        if body is not None:
            self._ledger.whole.add(reading.id)
        return body is not None

    async def _say(self, peer: Peer, plan: Plan, reading: Reading) -> bool:
        """Say an answer; tell whether the connection ends with it."""
        body = b"" if reading.method == b"HEAD" else _body(plan, reading.id)
        open_ended = plan.framing == "until close" and reading.method != b"HEAD"
        self._ledger.told[reading.id] = Told(plan.status, body, open_ended)
        kind = b"text/event-stream" if plan.framing != "sized" else b"application/json"
        head = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\n" % (plan.status, _PHRASES[plan.status], kind)
        frame: Callable[[bytes], bytes] = bytes
        if plan.framing == "sized":
            head += b"content-length: %d\r\n" % (plan.size if reading.method == b"HEAD" else len(body))
        elif plan.framing == "chunked":
            head += b"transfer-encoding: chunked\r\n"
            frame = chunk
        if plan.interim:
            await peer.say(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await peer.say(head + b"\r\n")
        step = max(1, len(body) // 5)
        for at in range(0, len(body), step):
            await trio.sleep(plan.pause)
            await peer.say(frame(body[at : at + step]))
        if plan.framing == "chunked" and reading.method != b"HEAD":
            # At once: what comes behind the end when another request is on its way would be that one's answer.
            await peer.say(LAST_CHUNK, and_at_once=_SECOND if plan.more else b"")
        return open_ended


def _body(plan: Plan, request_id: bytes) -> bytes:
    """Something that belongs to this request and to no other."""
    text = request_id.decode()
    if plan.framing == "sized":
        return json.dumps({"id": text, "pad": "x" * plan.size}).encode()
    count = 1 + min(plan.size // 100, 50)
    return b"".join(
        b"data: %s\n\n" % json.dumps({"id": text, "n": n, "pad": "x" * (plan.size // count)}).encode()
        for n in range(count)
    )


class Reading:
    """A request as it arrives, read by another parser.

    `shown` is its x-request-id. `id` is what its body begins with, `shown` without a body: requests with the same
    head have the same `shown`.
    """

    def __init__(self, peer: Peer, heard: bytes = b"") -> None:
        self.id = self.shown = self.method = self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.end = peer.end
        self._peer = peer
        self._begun = b""
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
        if heard:
            self._parser.receive_data(heard)

    @property
    def unread(self) -> bytes:
        """What has come behind the request."""
        return bytes(self._parser.trailing_data[0])

    async def head(self) -> bool:
        """Read so far, and of the body as far as its id; tell whether one came."""
        event = await self._next()
        if not isinstance(event, h11.Request):
            return False
        self.method, self.target, self.headers = event.method, event.target, list(event.headers)
        self.shown = dict(self.headers)[b"x-request-id"]
        if self.shown.isdigit():
            self.id = self.shown
            return True
        while not (found := _ID.match(self._begun)):
            if not isinstance(event := await self._next(), h11.Data):
                return False
            self._begun += event.data
        self.id = found[1]
        return True

    async def rest(self) -> bytes | None:
        """Return the body, None if it does not come to its end."""
        body = self._begun
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
        return body if isinstance(event, h11.EndOfMessage) else None

    async def _next(self) -> h11.Event | None:
        data = b"?"
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(data := await self._peer.hear())
        except h11.RemoteProtocolError as error:
            if data:
                raise AssertionError("the bridge sent what is no request") from error
            return None
        assert not isinstance(event, type)
        return event
