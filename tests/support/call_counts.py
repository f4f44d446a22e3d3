"""A bridge that counts the Python and C functions it calls, a provider and callers for it.

They exchange bytes on kept connections: one request at a time, or so many in lockstep. In lockstep the bridge is
stopped while the callers send all their requests, and while the provider sends all its answers, so that it finds
all of them at once. So the number of calls depends on the version of Python, and hardly on the machine.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.compare import traffic
from tests.support.processes import START, environment, free_ports, until

_ROOT = Path(__file__).parents[2]
_READ = 1 << 16
_WAIT = 30.0
EVENT = (
    b'data: {"id":"chatcmpl-C0123456789abcdefghijklmnopqr","object":"chat.completion.chunk","created":1795683600,'
    b'"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,'
    b'"delta":{"content":" shipment"},"logprobs":null,"finish_reason":null}],"obfuscation":"x1Zq"%b}\n\n'
)
USAGE_NULL = b',"usage":null'


class SteppedProvider:
    """A provider that answers each request with the same bytes; a stream waits for `step` before each event.

    With `lockstep` it waits for so many requests before it answers any, while `stopped` holds the bridge.
    """

    def __init__(self, event: bytes = b"", lockstep: int = 1) -> None:
        self.stopped: Callable[[bool], None] = lambda _: None
        self._all_asked = threading.Barrier(lockstep, lambda: self.stopped(True))
        self._all_answered = threading.Barrier(lockstep, lambda: self.stopped(False))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._event = event
        self.step = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        answer, head = traffic.answer(), traffic.stream_head()
        with sock, suppress(OSError):
            while request := _whole_request(sock):
                if b'"stream":true' not in request:
                    self._all_asked.wait()
                    sock.sendall(answer)
                    self._all_answered.wait()
                    continue
                sock.sendall(head)
                while self.step.acquire():
                    sock.sendall(b"%x\r\n%b\r\n" % (len(self._event), self._event))


def _whole_request(sock: socket.socket) -> bytes:
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end and len(body) >= (_length(head) or 0):
            return data
        if not (piece := sock.recv(_READ)):
            return b""
        data += piece


def _whole_answer(sock: socket.socket) -> bytes:
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = _length(head)
            if length is None or len(body) >= length:
                return data
        piece = sock.recv(_READ)
        assert piece, data
        data += piece


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return None


class CountedBridge:
    """A bridge that counts its calls, and callers' connections to it, which are kept."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, admin: int, log: Path) -> None:
        self._process = process
        self.port = port
        self.admin = admin
        self.log = log
        self._socks: list[socket.socket] = []

    def calls(self) -> int:
        """Return how many calls there were so far."""
        self._process.send_signal(signal.SIGUSR1)
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def stop(self, stopped: bool) -> None:
        """Stop the process, or let it go on."""
        self._process.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)

    def connections(self, number: int) -> list[socket.socket]:
        """Return so many."""
        while len(self._socks) < number:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=_WAIT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks.append(sock)
        return self._socks[:number]

    @property
    def connection(self) -> socket.socket:
        """The first one."""
        return self.connections(1)[0]

    def ask(self, request: bytes) -> bytes:
        """Send a request, and return its whole answer, which has a length."""
        self.connection.sendall(request)
        return _whole_answer(self.connection)

    def ask_together(self, request: bytes, number: int) -> list[bytes]:
        """Send a request on each of so many connections before the bridge reads one; return the answers."""
        socks = self.connections(number)
        self.stop(True)
        for sock in socks:
            sock.sendall(request)
        self.stop(False)
        return [_whole_answer(sock) for sock in socks]

    def receive(self, end: bytes) -> bytes:
        """Return what comes until there is such an end."""
        data = b""
        while not data.endswith(end):
            piece = self.connection.recv(_READ)
            assert piece, data
            data += piece
        return data

    def close(self) -> None:
        """End it."""
        for sock in self._socks:
            sock.close()
        self._process.kill()
        self._process.wait(_WAIT)
        assert self._process.stdout
        self._process.stdout.close()


@contextmanager
def counted_bridge(folder: Path, provider: SteppedProvider, arguments: Sequence[str]) -> Iterator[CountedBridge]:
    """Run a bridge that counts, in front of a provider; its log goes to a file, as lines of JSON."""
    port, admin = free_ports(2)
    log = folder / f"log-{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.support.counted_serve", "serve", "--bind", f"127.0.0.1:{port}"),
                *("--admin-bind", f"127.0.0.1:{admin}"),
                *("--openai-base-url", f"http://127.0.0.1:{provider.port}/v1", *arguments),
            ],
            cwd=_ROOT,
            env=environment(PYTHONHASHSEED="0"),
            stdout=subprocess.PIPE,
            stderr=output,
        )
    bridge = CountedBridge(process, port, admin, log)
    provider.stopped = bridge.stop
    try:
        until(lambda: process.poll() is not None or (_listens(port) and _listens(admin)), "a bridge", START)
        assert process.poll() is None, log.read_text()
        yield bridge
    finally:
        bridge.close()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
