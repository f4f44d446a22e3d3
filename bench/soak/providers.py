"""Providers with random answers, each on its own port, which at times refuses connections."""

from __future__ import annotations

import socket
from collections import Counter
from random import Random

import trio

from bench.soak import answers
from bench.soak.answers import INSTEAD, WITHIN, Answer
from bench.soak.asks import PROVIDERS
from bench.soak.ends import BROKEN, End
from bench.soak.reader import Ended, Head, Reader

_HOST = "127.0.0.1"
_BACKLOG = 256
# Longer than the bridge waits for them (seconds).
_SILENCE = 3.0
# The longest time between two times at which a port refuses connections, and their longest duration (seconds).
_UP = 4.0
_DOWN = 0.2


class Providers:
    """All three; they listen while `run` runs."""

    def __init__(self, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._seed = seed
        self._draw = Random(seed)
        self._steady = False
        self._visitors: dict[str, trio.CancelScope] = {}
        # A bound socket that never listens reserves the port while connections are refused.
        self._places = {name: _bound(0) for name in PROVIDERS}

    @property
    def ports(self) -> dict[str, int]:
        """Where each listens."""
        return {name: place.getsockname()[1] for name, place in self._places.items()}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                for name in PROVIDERS:
                    await nursery.start(self._provide, name)
                task_status.started()
        finally:
            for place in self._places.values():
                place.close()

    def hang_up(self) -> None:
        """Break off all conversations, the idle ones too, and listen steadily from now on."""
        self._steady = True
        for scope in self._visitors.values():
            scope.cancel()

    def resume(self) -> None:
        """Be as unsteady as before."""
        self._steady = False

    async def _provide(self, name: str, task_status: trio.TaskStatus[None]) -> None:
        while True:
            listener = trio.socket.from_stdlib_socket(_bound(self.ports[name]))
            listener.listen(_BACKLOG)
            task_status.started()
            task_status = trio.TASK_STATUS_IGNORED
            async with trio.open_nursery() as nursery:
                self._visitors[name] = nursery.cancel_scope
                try:
                    with trio.move_on_after(_UP * self._draw.random()):
                        await self._accept(listener, name, nursery)
                    while self._steady:
                        with trio.move_on_after(_UP):
                            await self._accept(listener, name, nursery)
                finally:
                    listener.close()
                if not self._steady:
                    self.outcomes["not listening"] += 1
                    await trio.sleep(_DOWN * self._draw.random())
                    nursery.cancel_scope.cancel()

    async def _accept(self, listener: trio.socket.SocketType, name: str, nursery: trio.Nursery) -> None:
        while True:
            try:
                sock, _ = await listener.accept()
            except OSError:  # it has gone already
                await trio.lowlevel.checkpoint()
                continue
            nursery.start_soon(self._converse, End(sock), name)

    async def _converse(self, end: End, name: str) -> None:
        reader = Reader(end.hear)
        try:
            while await self._answer(end, reader, name):
                pass
        except (Ended, *BROKEN):
            pass
        finally:
            end.close()

    async def _answer(self, end: End, reader: Reader, name: str) -> bool:
        """Answer one request; tell whether another may come."""
        request = await reader.head()
        answer = answers.answer(self._seed, name, request.fields.get(b"x-request-id", b""))
        self.outcomes[answer.trouble or str(answer.status)] += 1
        if not answer.early:
            await reader.body(request)
        await trio.sleep(answer.delay)
        if not await _say(end, answer, request):
            return False
        if answer.early:
            await reader.body(request)
        return answer.framing != "close" and b"close" not in answer.fields


async def _say(end: End, answer: Answer, request: Head) -> bool:
    """Say an answer, as far as that goes; tell whether the connection outlives it."""
    if answer.trouble in INSTEAD:
        await _make_trouble(end, answer)
        return False
    await end.send(answer.interim + answer.head())
    if request.line.startswith(b"HEAD "):
        return answer.trouble is None
    for number, piece in enumerate(answer.pieces):
        if answer.trouble in WITHIN and number == len(answer.pieces) // 2:
            await _make_trouble(end, answer)
            return False
        if answer.pause:
            await trio.sleep(answer.pause)
        await end.send(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.framing == "chunks" else piece)
    if answer.framing == "chunks":
        await end.send(b"0\r\n\r\n")
    if answer.trouble == "talks on":
        await end.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    return answer.trouble is None


async def _make_trouble(end: End, answer: Answer) -> None:
    """Do what ends the connection, which is closed behind it."""
    match answer.trouble:
        case "resets" | "resets in the body":
            end.reset()
        case "is silent" | "is silent in the body":
            await trio.sleep(_SILENCE)
        case "half a head":
            head = answer.head()
            await end.send(head[: len(head) // 2])
        case "nonsense":
            await end.send(answer.nonsense)


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((_HOST, port))
    return sock
