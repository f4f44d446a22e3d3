"""A proxy that runs, as the scenarios see it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from time import perf_counter, sleep

from bench.compare import traffic, wrk
from bench.compare.peers import Place
from bench.compare.process import Process

# Idle is who uses less than this share of a core.
_IDLE = 0.05


class Running:
    """A proxy that runs, or the straight way to the provider (`process` is None)."""

    def __init__(
        self,
        name: str,
        place: Place,
        path: str,
        headers: tuple[traffic.Header, ...],
        process: Process | None = None,
    ) -> None:
        self.name = name
        self.place = place
        self.path = path
        self.headers = headers
        self.process = process

    @property
    def port(self) -> int:
        """Where callers connect."""
        return self.place.port

    def request(self, *, stream: bool, usage: bool = True) -> bytes:
        """Return the bytes of a chat completion's request to it; a stream asks for its `usage`."""
        return traffic.request(self.port, self.path, stream=stream, usage=usage, headers=self.headers)

    def connect(self, seconds: float) -> socket.socket:
        """Return a connection to it, over TLS where it speaks TLS; that and each answer may take so long."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        if self.place.front is None:
            return sock
        try:
            return ssl._create_unverified_context().wrap_socket(sock)  # noqa: SLF001, S323 - to this machine
        except BaseException:
            sock.close()
            raise

    def loop(self, scratch: Path, *, in_flight: int, seconds: float, size: int = 0) -> tuple[wrk.Loop, float]:
        """Run a closed loop of unary requests; return it, and the CPU seconds that it has cost the proxy."""
        before = self.cpu()
        done = wrk.run(
            self.port,
            self.path,
            in_flight=in_flight,
            seconds=seconds,
            scratch=scratch,
            headers=self.headers,
            size=size,
            tls=self.place.front is not None,
        )
        return done, self.cpu() - before

    def cpu(self) -> float:
        """Return the CPU seconds that it has used; none for the straight way."""
        return self.process.cpu() if self.process else 0.0

    def resident(self) -> int:
        """Return its resident bytes; none for the straight way."""
        return self.process.resident() if self.process else 0

    def calm(self, patience: float = 20.0) -> None:
        """Wait until it is done with what its last callers have left behind."""
        until = perf_counter() + patience
        busy = self.process is not None
        while busy and perf_counter() < until:
            begun, before = perf_counter(), self.cpu()
            sleep(0.1)
            busy = self.cpu() - before > _IDLE * (perf_counter() - begun)
