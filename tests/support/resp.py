"""A blocking connection to Redis, for tests: words there, answers back."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme


class RespError(Exception):
    """The server's error."""


class RespClient:
    """A connection. Simple strings and bulk strings come back as text if they are text, else as bytes."""

    def __init__(
        self,
        address: tuple[str, int] | Path,
        *,
        password: str = "",
        ca: trustme.CA | None = None,
        timeout: float = 10.0,
    ) -> None:
        if isinstance(address, Path):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout)
            try:
                self._socket.connect(str(address))
            except BaseException:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(address, timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if ca is not None:
                context = ssl.create_default_context()
                ca.configure_trust(context)
                self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
            self._file = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise
        if password:
            self.call("AUTH", password)

    def call(self, *words: str | bytes | float) -> object:
        """Execute a command; raises RespError."""
        self.send(*words)
        return self.receive()

    def send(self, *words: str | bytes | float) -> None:
        """Send a command; its answer is read later."""
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            content = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(content), content))
        self._socket.sendall(b"".join(parts))

    def receive(self) -> object:
        """Read the next answer; raises RespError."""
        found = self._read()
        if isinstance(found, RespError):
            raise found
        return found

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> object:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return self._string(int(rest))
        if kind == b"*":
            return [self._read() for _ in range(int(rest))] if rest != b"-1" else None
        if kind == b":":
            return int(rest)
        return RespError(rest.decode()) if kind == b"-" else rest.decode()

    def _string(self, length: int) -> str | bytes | None:
        if length < 0:
            return None
        content = self._file.read(length + 2)[:-2]
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content
