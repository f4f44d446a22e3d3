"""Callers that come once: each opens a connection, sends one request, reads the answer, and leaves."""

from __future__ import annotations

import select
import socket
from time import perf_counter
from typing import Self

from bench.compare import traffic
from bench.compare.process import Failed

# Seconds for all of them.
_PATIENCE = 30.0


class Newcomers:
    """Callers of a proxy on this machine, each with the same request."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._epoll = select.epoll()
        self._socks: dict[int, socket.socket] = {}
        self._answers: dict[int, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._socks.values():
            sock.close()
        self._epoll.close()

    def come_and_go(self, number: int, *, at_once: int) -> float:
        """Let so many come, `at_once` of them at any time; return the seconds it took.

        Raises Failed if one of them is not served.
        """
        begun, left = perf_counter(), number
        while left or self._socks:
            while left and len(self._socks) < at_once:
                self._come()
                left -= 1
            for fd, _ in self._epoll.poll(1.0, at_once):
                self._read(fd)
            if perf_counter() - begun > _PATIENCE:
                raise Failed(f"{number} new connections took more than {_PATIENCE:.0f} s")
        return perf_counter() - begun

    def _come(self) -> None:
        try:
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        except OSError as error:
            raise Failed(f"a new connection was refused: {error}") from None
        self._socks[sock.fileno()] = sock
        self._answers[sock.fileno()] = b""
        self._epoll.register(sock, select.EPOLLIN)
        sock.sendall(self._request)

    def _read(self, fd: int) -> None:
        try:
            data = self._socks[fd].recv(65536)
        except OSError:
            data = b""
        answer = self._answers[fd] = self._answers[fd] + data
        if not data or (traffic.whole(answer) and not answer.startswith(b"HTTP/1.1 200")):
            raise Failed(f"a new connection got {answer[:200]!r}")
        if traffic.whole(answer):
            self._socks.pop(fd).close()
