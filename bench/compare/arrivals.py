"""The open loop: callers who come when they come, however slow the answers are; one thread, epoll."""

from __future__ import annotations

import random
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

from bench.compare import traffic


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one caller got: status (0: nothing in time, or a broken connection), when it came, how long it took."""

    status: int
    at: float
    seconds: float


class _Call:
    __slots__ = ("answer", "at", "sock")

    def __init__(self, sock: socket.socket, at: float) -> None:
        self.sock = sock
        self.at = at
        self.answer = b""


class Arrivals:
    """Poisson arrivals, the same ones for the same `seed`; connections are kept and used again, last in first out.

    A caller without its whole answer after `patience` seconds hangs up.
    """

    def __init__(self, port: int, request: bytes, *, rate: float, patience: float, seed: int = 1) -> None:
        self._port = port
        self._request = request
        self._rate = rate
        self._patience = patience
        self._random = random.Random(seed)
        self._epoll = select.epoll()
        self._idle: list[socket.socket] = []
        self._calls: dict[int, _Call] = {}
        self._waiting: deque[_Call] = deque()
        self.outcomes: list[Outcome] = []

    def run(self, seconds: float, marks: Iterable[tuple[float, Callable[[], None]]] = ()) -> list[Outcome]:
        """Let callers come for so long, wait for the last of them, and return how each fared, by time of arrival.

        `marks` are called on the way, each so many seconds after the start, in that order.
        """
        begun = perf_counter()
        end, due = begun + seconds, begun
        left = deque(marks)
        wait_for = [self._epoll.fileno()]
        while due < end or self._calls or left:
            now = perf_counter()
            if left and now >= begun + left[0][0]:
                left.popleft()[1]()
            while due < end and due <= now:
                self._call(due)
                due += self._random.expovariate(self._rate)
            self._hang_up(now)
            # epoll counts milliseconds, select microseconds.
            select.select(wait_for, [], [], max(0.0, due - perf_counter()) if due < end else 0.02)
            for fd, _ in self._epoll.poll(0, 1024):
                self._read(fd)
        for sock in self._idle:
            sock.close()
        self._epoll.close()
        return sorted(self.outcomes, key=lambda each: each.at)

    def _call(self, due: float) -> None:
        while True:
            kept = bool(self._idle)
            sock = self._idle.pop() if kept else self._connect()
            try:
                sock.send(self._request)
            except OSError:
                sock.close()  # it was closed while it was idle
                if kept:
                    continue
                self.outcomes.append(Outcome(0, due, perf_counter() - due))
                return
            # Since when it was due: a late caller must not look like a fast answer.
            call = _Call(sock, due)
            self._calls[sock.fileno()] = call
            self._waiting.append(call)
            self._epoll.register(sock, select.EPOLLIN)
            return

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock

    def _read(self, fd: int) -> None:
        call = self._calls.get(fd)
        if call is None:
            return
        try:
            data = call.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        call.answer += data
        if not data:
            self._end(call, 0)
        elif traffic.whole(call.answer):
            self._end(call, int(call.answer[9:12]), keep=b"connection: close" not in call.answer.lower())

    def _hang_up(self, now: float) -> None:
        while self._waiting and self._waiting[0].at < now - self._patience:
            call = self._waiting.popleft()
            if self._calls.get(call.sock.fileno()) is call:
                self._end(call, 0)

    def _end(self, call: _Call, status: int, *, keep: bool = False) -> None:
        del self._calls[call.sock.fileno()]
        self._epoll.unregister(call.sock)
        if keep:
            self._idle.append(call.sock)
        else:
            call.sock.close()
        self.outcomes.append(Outcome(status, call.at, perf_counter() - call.at))
