"""Replicas under load while their store fails: what is asked, what reaches the provider, and what was promised."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

from tests.support.processes import ASK, CHAT, Bridge, a_bridge, until

_ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


class CountingProvider:
    """Answers each request after `hold` seconds, and notes when each began and ended."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hold = 0.1
        self.spans: list[tuple[float, float]] = []

    @property
    def flags(self) -> tuple[str, ...]:
        """Where a bridge finds it."""
        return (
            *("--openai-base-url", f"{self.url}/v1"),
            *("--anthropic-base-url", self.url),
            *("--copilot-base-url", self.url),
        )

    def most_at_once(self, since: float = 0.0, before: float = float("inf")) -> int:
        """Return how many requests were here at once, of those that began then."""
        began = [(at, 1) for at, _ in self.spans if since <= at < before]
        ended = [(end, -1) for at, end in self.spans if since <= at < before]
        most = now = 0
        for _, change in sorted(began + ended):
            now += change
            most = max(most, now)
        return most

    def most_within(self, span: float, since: float = 0.0, before: float = float("inf")) -> int:
        """Return how many requests began within any `span` seconds, of those that began then."""
        times = sorted(at for at, _ in self.spans if since <= at < before)
        first = most = 0
        for place, at in enumerate(times):
            while times[first] <= at - span:
                first += 1
            most = max(most, place - first + 1)
        return most


@contextmanager
def a_counting_provider() -> Iterator[CountingProvider]:
    """Run one in threads."""
    found: CountingProvider

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            began = time.perf_counter()
            self.rfile.read(int(self.headers.get("content-length") or 0))
            time.sleep(found.hold)
            found.spans.append((began, time.perf_counter()))
            with suppress(OSError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(_ANSWER)))
                self.end_headers()
                self.wfile.write(_ANSWER)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    found = CountingProvider(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Answered:
    """A request: when it was sent, how long it took, its status, and the reject's reason."""

    at: float
    seconds: float
    status: int
    reject: str


@dataclass
class Load:
    """Requests of several callers to several bridges; `answers` grows while it runs."""

    bridges: Sequence[Bridge]
    tasks: int
    keys: Sequence[str] = ("sk-caller-0123456789",)
    pause: float = 0.0
    answers: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _over: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.tasks):
            thread = threading.Thread(target=self._ask, args=(number,))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()

    def since(self, at: float) -> list[Answered]:
        """Return the answers to requests sent from then on."""
        return [answer for answer in self.answers if answer.at >= at]

    def by_outcome(self, since: float = 0.0) -> Counter[str]:
        """Return how many there were by reject, `200` for those that were served."""
        return Counter(answer.reject or str(answer.status) for answer in self.since(since))

    def _ask(self, number: int) -> None:
        bridge = self.bridges[number % len(self.bridges)]
        key = self.keys[number % len(self.keys)]
        with httpx.Client(base_url=bridge.url, trust_env=False, timeout=20) as client:
            while not self._over:
                at = time.perf_counter()
                try:
                    answer = client.post(
                        CHAT, json={"model": "m", "messages": ASK}, headers={"authorization": f"Bearer {key}"}
                    )
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                seconds = time.perf_counter() - at
                reject = answer.headers.get("x-aibridge-reject", "")
                self.answers.append(Answered(at, seconds, answer.status_code, reject))
                if reject:
                    time.sleep(0.01)
                time.sleep(self.pause)


class Cut:
    """Passes TCP connections on to a port; they can be reset, or swallowed by a network that is gone."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._hole = threading.Event()
        self._refuses = False
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self) -> None:
        """Break all connections, and refuse new ones."""
        self._refuses = True
        self._break()

    def swallow(self) -> None:
        """Pass nothing on any more; connections stay, and new ones are made."""
        self._hole.set()

    def heal(self) -> None:
        """Pass on what comes from now on; what was swallowed is lost with its connections."""
        swallowed = self._hole.is_set()
        self._hole.clear()
        self._refuses = False
        if swallowed:
            self._break()

    def close(self) -> None:
        """Break everything, for good."""
        self._listener.close()
        self._break()

    def _break(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                near.close()
                continue
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(65536):
                if self._hole.is_set():
                    continue
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def replicas(
    count: int, url: str, provider: CountingProvider, *flags: str, joined: bool = True
) -> Iterator[list[Bridge]]:
    """Run so many bridges with this store, and wait until all of them share."""
    with ExitStack() as stack:
        found = [stack.enter_context(a_bridge(*flags, *provider.flags, AIBRIDGE_STORE=url)) for _ in range(count)]
        if joined:
            until(lambda: all(each.status()["store"]["replicas"] == count for each in found), "all have joined")
        yield found


def condition(bridge: Bridge) -> str:
    """Return the store's condition, as a bridge knows it."""
    found: str = bridge.status()["store"]["condition"]
    return found


def until_condition(bridges: Sequence[Bridge], *wanted: str, within: float = 10.0) -> None:
    """Wait until all bridges have one of these conditions."""
    until(lambda: all(condition(each) in wanted for each in bridges), f"all are {wanted}", within)
