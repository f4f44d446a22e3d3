"""The laboratory: which cores do what, the provider, the proxies that run, and the folder where they write."""

from __future__ import annotations

import os
import resource
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Self

from bench.compare.machine import busy_seconds
from bench.compare.peers import TLS, Peer, Place
from bench.compare.process import Failed, Process, prefer
from bench.compare.running import Running
from bench.compare.scripted import ScriptedProvider

# Seconds that a proxy may need to give its first answer.
_START = 90


class Lab:
    """Starts what is needed, and ends all of it on leaving; `notes` tells what did not work.

    The proxies have one core for themselves; the provider and the load share what is left. On a machine with one
    core they all share that, and the numbers say nothing. `patience` is how many seconds may go
    into waiting for others on the machine, and into repeating what they have disturbed.
    """

    def __init__(
        self, core: int | None = None, patience: float = 0.0, nice: int = 0, *, everywhere: bool = False
    ) -> None:
        cores = os.sched_getaffinity(0)
        self.core = max(cores) if core is None else core
        self.cores = cores if everywhere else {self.core}
        self.load_cores = cores if everywhere else cores - {self.core} or cores
        self.notes: list[str] = []
        self.patience = patience
        self._nice = nice
        self._processes: list[Process] = []
        self._providers: list[ScriptedProvider] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, self.load_cores)
        if self._nice:
            prefer(self._nice, os.getpid())
        self.scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.provider = ScriptedProvider(free_port(), cores=self.load_cores, log=self.scratch / "provider.log")
        self._providers.append(self.provider)
        self._stack.callback(self.provider.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def watch(self) -> Callable[[], tuple[float, float]]:
        """Begin to watch; the result tells the seconds since, and how many cores others have used."""
        begun, foreign = perf_counter(), self._foreign()

        def so_far() -> tuple[float, float]:
            seconds = perf_counter() - begun
            return seconds, max(0.0, self._foreign() - foreign) / seconds

        return so_far

    def _foreign(self) -> float:
        own = os.times()
        ours = own.user + own.system + own.children_user + own.children_system
        ours += sum(each.cpu() for each in self._providers) + sum(each.cpu() for each in self._processes)
        return busy_seconds({*self.cores, *self.load_cores}) - ours

    def note(self, who: str, what: str) -> None:
        """Remember that something did not work."""
        self.notes.append(f"{who}: {what}")

    def straight(self) -> Running:
        """Return the way to the provider with nothing between."""
        return Running(
            "straight", Place(self.provider.port, 0, self.provider.port, self.scratch), "/v1/chat/completions", ()
        )

    @contextmanager
    def provider_over_tls(self, certificate: Path) -> Iterator[ScriptedProvider]:
        """Start a second provider, which speaks TLS, and end it on leaving."""
        log = self.scratch / "provider-tls.log"
        provider = ScriptedProvider(free_port(), cores=self.load_cores, log=log, certificate=certificate)
        self._providers.append(provider)
        try:
            yield provider
        finally:
            self._providers.remove(provider)
            provider.stop()

    @contextmanager
    def run(
        self, peer: Peer, tls: TLS | None = None, provider: ScriptedProvider | None = None
    ) -> Iterator[Running]:
        """Start a proxy, wait until a chat completion comes through it, and end it on leaving."""
        running, _ = self.start(peer, tls, provider)
        try:
            yield running
        finally:
            self.stop(running)

    def start(
        self, peer: Peer, tls: TLS | None = None, provider: ScriptedProvider | None = None
    ) -> tuple[Running, float]:
        """Start a proxy; return it with the seconds until its first answer. It ends with the lab, or by `stop`."""
        folder = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=self.scratch))
        place = Place(free_port(), free_port(), (provider or self.provider).port, folder, tls)
        launch = peer.launch(peer.executable, place)
        for name, content in launch.files.items():
            (folder / name).write_text(content)
        begun = perf_counter()
        process = Process(
            launch.argv, cores=self.cores, log=folder / "log", environment=launch.environment, folder=folder
        )
        self._processes.append(process)
        self._stack.callback(process.stop)
        running = Running(peer.name, place, peer.path, peer.headers(place), process)
        _first_answer(running, process, begun + _START)
        return running, perf_counter() - begun

    def stop(self, running: Running) -> None:
        """End a proxy before its time, and free what it has written."""
        assert running.process is not None
        running.process.stop()
        self._processes.remove(running.process)
        running.process.log.unlink(missing_ok=True)


def _first_answer(running: Running, process: Process, until: float) -> None:
    asked = running.request(stream=False)
    answer = b""
    while perf_counter() < until:
        process.check()
        try:
            with running.connect(10) as sock:
                sock.sendall(asked)
                answer = sock.recv(65536)
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200"):
            return
        sleep(0.002)
    raise Failed(f"no answer: {answer[:200]!r}; {process.last_words()}")


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
