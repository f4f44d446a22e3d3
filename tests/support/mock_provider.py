"""A mock provider in a thread, for tests on real sockets; and one in memory, for tests in virtual time."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import trio

from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.server.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aibridge_trio.server.asgi import Message, Scope


@dataclass(frozen=True)
class Provider:
    """A running mock, and a client of it."""

    url: str
    client: httpx.Client
    reports: list[BaseException] = field(default_factory=list)

    def script(self, *answers: dict[str, Any]) -> None:
        """Append answers."""
        self.client.post("/mock/script", json={"answers": answers}).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        stats: dict[str, Any] = self.client.get("/mock/stats").json()
        return stats

    def change(self, **options: Any) -> None:
        """Change options."""
        self.client.post("/mock/options", json=options).raise_for_status()

    def clear(self) -> None:
        """Forget script, counters, capacity and quotas."""
        self.change(slots=0, when_full=None, requests_per_minute=0, tokens_per_minute=0, fail={})
        self.client.delete("/mock/script")
        self.client.delete("/mock/stats")


@contextmanager
def running(options: MockOptions | None = None) -> Iterator[Provider]:
    """Run a mock on a free port."""
    ready: queue.SimpleQueue[tuple[str, Server, trio.lowlevel.TrioToken]] = queue.SimpleQueue()
    reports: list[BaseException] = []

    async def main() -> None:
        server = Server(Mock(options or MockOptions()).app, report=reports.append)
        host, port = server.open("127.0.0.1", 0, option="test")
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            ready.put((f"http://{host}:{port}", server, trio.lowlevel.current_trio_token()))

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    url, server, token = ready.get(timeout=10)
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=5) as client:
            yield Provider(url, client, reports)
    finally:
        trio.from_thread.run_sync(server.stop, 0, trio_token=token)
        thread.join(10)
    assert not reports


def eventually(holds: Callable[[], bool], within: float = 1.0) -> bool:
    """Whether it comes to hold within this many seconds."""
    deadline = time.perf_counter() + within
    while time.perf_counter() < deadline:
        if holds():
            return True
    return False


@dataclass
class Answered:
    """What came back in memory: pieces with the time at which they came, since the call."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    head_at: float = -1.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        """Everything that was sent."""
        return b"".join(piece for _, piece in self.pieces)


async def call(
    mock: Mock,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    leave: trio.Event | None = None,
) -> Answered:
    """Call the application in memory; the caller leaves at `leave`."""
    answered, start = Answered(), trio.current_time()
    sent = trio.Event()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    bare, _, query = path.partition("?")
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": bare,
        "raw_path": bare.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "extensions": {},
    }

    async def receive() -> Message:
        if not sent.is_set():
            sent.set()
            return {"type": "http.request", "body": raw, "more_body": False}
        if leave is None:
            await trio.sleep_forever()
        else:
            await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            answered.status, answered.head_at = message["status"], trio.current_time() - start
            answered.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message["body"]:
            answered.pieces.append((trio.current_time() - start, message["body"]))
        answered.ended = not message["more_body"]

    await mock.app(scope, receive, send)
    return answered
