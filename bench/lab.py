"""The laboratory: which cores do what, the provider, the proxies that run, and the folder where they write."""

from __future__ import annotations

import os
import resource
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep

from bench import traffic
from bench.peers import Peer, Place
from bench.process import Failed, Process
from bench.scripted import ScriptedProvider


class Running:
    """A proxy that runs, or the straight way to the provider (`process` is None)."""

    def __init__(self, name: str, place: Place, path: str, headers: tuple[traffic.Header, ...]) -> None:
        self.name = name
        self.place = place
        self.path = path
        self.headers = headers
        self.process: Process | None = None

    @property
    def port(self) -> int:
        """Where callers connect."""
        return self.place.port

    def request(self, *, stream: bool) -> bytes:
        """Return the bytes of a chat completion's request to it."""
        return traffic.request(self.port, self.path, stream=stream, headers=self.headers)

    def cpu(self) -> float:
        """Return the CPU seconds that it has used; none for the straight way."""
        return self.process.cpu() if self.process else 0.0

    def resident(self) -> int:
        """Return its resident bytes; none for the straight way."""
        return self.process.resident() if self.process else 0


class Lab:
    """Starts what is needed, and ends all of it on leaving.

    The proxies have the last core for themselves; the provider and the load share what is left. On a machine with
    one core they all share that, and the numbers say nothing.
    """

    def __init__(self, core: int | None = None) -> None:
        cores = os.sched_getaffinity(0)
        self.proxy_cores = {max(cores) if core is None else core}
        self.load_cores = cores - self.proxy_cores or cores
        self._stack = ExitStack()

    def __enter__(self) -> Lab:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.load_cores)
        self._stack.callback(os.sched_setaffinity, 0, before)
        self.scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.provider = ScriptedProvider(free_port(), cores=self.load_cores, log=self.scratch / "provider.log")
        self._stack.callback(self.provider.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def straight(self) -> Running:
        """Return the way to the provider with nothing between."""
        place = Place(self.provider.port, 0, self.provider.port, self.scratch)
        return Running("straight", place, "/v1/chat/completions", ())

    def start(self, peer: Peer, *, patience: float = 90.0) -> Running:
        """Start a proxy and wait until a chat completion comes through it."""
        running, _ = self.time_start(peer, patience=patience)
        return running

    def time_start(self, peer: Peer, *, patience: float = 90.0) -> tuple[Running, float]:
        """Start a proxy; return it with the seconds until its first answer."""
        port = free_port()
        folder = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=self.scratch))
        place = Place(port, free_port(), self.provider.port, folder)
        launch = peer.launch(peer.executable, place)
        for name, content in launch.files.items():
            (folder / name).write_text(content)
        running = Running(peer.name, place, peer.path, peer.headers(place))
        begun = perf_counter()
        running.process = Process(
            launch.argv, cores=self.proxy_cores, log=folder / "log", environment=launch.environment, folder=folder
        )
        self._stack.callback(running.process.stop)
        self._await(running, begun + patience)
        return running, perf_counter() - begun

    def stop(self, running: Running) -> None:
        """End a proxy before its time."""
        assert running.process is not None
        running.process.stop()
        running.process.log.unlink(missing_ok=True)

    def _await(self, running: Running, until: float) -> None:
        assert running.process is not None
        asked = running.request(stream=False)
        answer = b""
        while perf_counter() < until:
            running.process.check()
            try:
                with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sock:
                    sock.sendall(asked)
                    answer = sock.recv(65536)
            except OSError:
                answer = b""
            if answer.startswith(b"HTTP/1.1 200"):
                return
            sleep(0.002)
        raise Failed(f"{running.name} gives no answer: {answer[:400]!r}; {running.process.last_words()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
