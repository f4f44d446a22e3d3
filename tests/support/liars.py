"""A provider on a real socket that says what a test wants, byte by byte, to every request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import h11

from tests.support.unharmed import reset

Say = Callable[[socket.socket], None]


class Heard(NamedTuple):
    """A request as it arrived."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Liar:
    """Reads a request, or if `early` its head, and speaks, again and again; `requests` came in this order."""

    def __init__(self, listener: socket.socket) -> None:
        self.requests: list[Heard] = []
        self.say: Say = socket.socket.close
        self.early = False
        self._listener = listener
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def flags(self) -> tuple[str, str]:
        """Where a bridge finds it: in place of OpenAI."""
        return "--openai-base-url", f"http://127.0.0.1:{self.port}/v1"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Let go of everything."""
        self._listener.close()
        for sock in tuple(self._open):
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError, h11.RemoteProtocolError):  # who leaves in the middle has not asked
            while self._hear(sock):
                self.say(sock)
        with suppress(OSError):
            sock.close()
        self._open.discard(sock)

    def _hear(self, sock: socket.socket) -> bool:
        """Read one request, with another parser; tell whether there was one."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        request, body = None, b""
        while not (request and self.early) and not isinstance(event := parser.next_event(), h11.EndOfMessage):
            match event:
                case h11.Request():
                    request = event
                case h11.Data(data=data):
                    body += data
                case h11.ConnectionClosed():
                    return False
                case _:
                    parser.receive_data(sock.recv(65536))
        assert request
        self.requests.append(Heard(request.method, request.target, dict(request.headers), body))
        return True


@contextmanager
def a_liar() -> Iterator[Liar]:
    """Run one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        liar = Liar(listener)
        try:
            yield liar
        finally:
            liar.close()


def then_close(data: bytes) -> Say:
    """Say this and close."""

    def say(sock: socket.socket) -> None:
        sock.sendall(data)
        sock.close()

    return say


def then_reset(data: bytes) -> Say:
    """Say this and reset the connection."""

    def say(sock: socket.socket) -> None:
        sock.sendall(data)
        reset(sock)

    return say


def then_stay(data: bytes) -> Say:
    """Say this and wait for what comes."""

    def say(sock: socket.socket) -> None:
        sock.sendall(data)

    return say


def for_ever(head: bytes, piece: bytes) -> Say:
    """Say this, and then the piece until the other side has gone."""

    def say(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(piece)

    return say


def byte_by_byte(data: bytes) -> Say:
    """Say this in the smallest pieces."""

    def say(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            sock.sendall(bytes([byte]))

    return say
