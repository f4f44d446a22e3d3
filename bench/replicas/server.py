"""The Redis of a run: a server of its own, without files."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter, sleep

from bench.compare.lab import Lab, free_port
from bench.compare.process import Failed, Process

_START = 10.0


@contextmanager
def running(lab: Lab, program: str) -> Iterator[tuple[Process, int]]:
    """Run `redis-server` or `valkey-server` on the load's cores; yield it with its port."""
    executable = shutil.which(program)
    if executable is None:
        raise Failed(f"{program} is not installed")
    port = free_port()
    process = Process(
        [executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        cores=lab.load_cores,
        log=lab.scratch / "store.log",
        folder=lab.scratch,
    )
    try:
        until = perf_counter() + _START
        while not _answers(port):
            process.check()
            if perf_counter() > until:
                raise Failed(f"{program} does not answer: {process.last_words()}")
            sleep(0.02)
        yield process, port
    finally:
        process.stop()


def said(port: int, *words: str) -> bytes:
    """Return what the server answers to one command, up to 64 KiB."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(" ".join(words).encode() + b"\r\n")
        return sock.recv(65536)


def version(port: int) -> str:
    """Return the server's version."""
    for line in said(port, "INFO", "server").splitlines():
        name, _, value = line.partition(b":")
        if name in {b"redis_version", b"valkey_version"}:
            found = value.decode().strip()
    return found


def memory(port: int) -> int:
    """Return the bytes that the server uses for its data."""
    for line in said(port, "INFO", "memory").splitlines():
        if line.startswith(b"used_memory:"):
            return int(line.partition(b":")[2])
    raise Failed("the store does not say how much memory it uses")


def _answers(port: int) -> bool:
    with suppress(OSError):
        return said(port, "PING").startswith(b"+PONG")
    return False
