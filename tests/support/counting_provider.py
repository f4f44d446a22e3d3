"""A provider, a process of its own, that counts: how many requests it has at once, and how many came in all.

`python -m tests.support.counting_provider SECONDS` answers each request after so many seconds. It writes its port,
and for each line on stdin a line of JSON: the most at once since the line before, requests in all, and those now.
"""

from __future__ import annotations

import heapq
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_ANSWER = _HEAD % len(_BODY) + _BODY


class CountingProvider:
    """A hold on the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout
        self.port = int(process.stdout.readline())

    @property
    def flags(self) -> tuple[str, ...]:
        """What lets a bridge send its requests here."""
        return ("--openai-base-url", f"http://127.0.0.1:{self.port}/v1")

    def counts(self) -> dict[str, int]:
        """Return `most` (which begins anew), `requests` (of all time) and `present`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def counting_provider(seconds: float) -> Iterator[CountingProvider]:
    """Run one that takes so long for each answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.counting_provider", str(seconds)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield CountingProvider(process)
    finally:
        process.kill()
        process.communicate()


class _Server:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(0, select.EPOLLIN)
        self._unread: dict[int, bytes] = {}
        self._socks: dict[int, socket.socket] = {}
        self._due: list[tuple[float, int]] = []
        self._busy: set[int] = set()
        self._most = self._requests = 0

    def run(self) -> None:
        sys.stdout.write(f"{self._listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            wait = max(0.0, self._due[0][0] - time.perf_counter()) if self._due else -1
            for fd, _ in self._poll.poll(wait):
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == 0:
                    if not os.read(0, 4096):
                        return
                    found = {"most": self._most, "requests": self._requests, "present": len(self._busy)}
                    sys.stdout.write(json.dumps(found) + "\n")
                    sys.stdout.flush()
                    self._most = len(self._busy)
                else:
                    self._read(fd)
            while self._due and self._due[0][0] <= time.perf_counter():
                _, fd = heapq.heappop(self._due)
                if fd in self._busy:
                    self._busy.discard(fd)
                    with suppress(OSError):
                        self._socks[fd].send(_ANSWER)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                sock.setblocking(False)
                self._socks[sock.fileno()], self._unread[sock.fileno()] = sock, b""
                self._poll.register(sock, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        try:
            data = self._socks[fd].recv(65536)
        except OSError:
            data = b""
        if not data:
            self._busy.discard(fd)
            self._due = [each for each in self._due if each[1] != fd]
            heapq.heapify(self._due)
            self._socks.pop(fd).close()
            return
        self._unread[fd] += data
        head, end, body = self._unread[fd].partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._unread[fd] = b""
            self._requests += 1
            self._busy.add(fd)
            self._most = max(self._most, len(self._busy))
            heapq.heappush(self._due, (time.perf_counter() + self._seconds, fd))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _main(arguments: list[Any]) -> None:
    _Server(float(arguments[0])).run()


if __name__ == "__main__":
    _main(sys.argv[1:])
