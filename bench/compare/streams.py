"""Many callers that read streams: one thread, epoll, counting what passes."""

from __future__ import annotations

import select
import socket
from time import perf_counter
from typing import Self

from bench.compare.process import Failed

_READ = 65536
_MARK = b"\n\n"


class Streams:
    """Streamed requests that are open at once, each on a connection of its own."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._epoll = select.epoll()
        self._socks: dict[int, socket.socket] = {}
        self._last: dict[int, bytes] = {}
        self.events = 0
        self.ended = 0
        self.refused = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._socks.values():
            sock.close()
        self._epoll.close()

    def open(self, number: int, *, ask: bool = True) -> None:
        """Open `number` more connections, and ask for a stream on each with `ask`."""
        for _ in range(number):
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if ask:
                sock.sendall(self._request)
            sock.setblocking(False)
            self._socks[sock.fileno()] = sock
            self._last[sock.fileno()] = b""
            self._epoll.register(sock, select.EPOLLIN)

    def read(self, seconds: float, *, until_events: int | None = None) -> None:
        """Read what comes, for `seconds` or until so many events have come in all."""
        end = perf_counter() + seconds
        while (left := end - perf_counter()) > 0 and (until_events is None or self.events < until_events):
            for fd, _ in self._epoll.poll(min(left, 0.2), 1024):
                self._take(fd)

    def expect(self, events: int, seconds: float) -> None:
        """Read until so many events have come in all; raise `Failed` when they don't come in time."""
        self.read(seconds, until_events=events)
        if self.events < events or self.refused:
            raise Failed(f"{self.events} of {events} events came, {self.refused} streams were refused")

    def _take(self, fd: int) -> None:
        try:
            data = self._socks[fd].recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended += 1
            self._epoll.unregister(fd)
            return
        last = self._last[fd]
        if not last and not data.startswith(b"HTTP/1.1 200"):
            self.refused += 1
        self.events += data.count(_MARK) + (last == b"\n" and data[:1] == b"\n")
        self._last[fd] = data[-1:]
