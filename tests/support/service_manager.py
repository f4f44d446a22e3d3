"""A service manager as the bridge sees one: it listens, hands its sockets over, and receives messages."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.support.processes import ASK, CHAT, PATIENCE, PROGRAM, START, Process, Provider, until

# What stands between fork and exec in a service manager: descriptors from 3 on, and whose they are.
_HAND_OVER = """
import fcntl, os, sys
numbers = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1].split(",") if number]
for place, number in enumerate(numbers):
    os.dup2(number, 3 + place, inheritable=True)
if numbers:
    os.environ |= {"LISTEN_FDS": str(len(numbers)), "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""


class Service:
    """A running bridge, and the messages that its manager got from it."""

    def __init__(self, process: Process, notify: socket.socket) -> None:
        self.process = process
        self.told: list[dict[str, str]] = []
        self.at: list[float] = []
        self._notify = notify
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def hears(self, name: str, times: int = 1, within: float = START) -> dict[str, str]:
        """Wait until an assignment has come so often; return the latest message that has it."""

        def heard() -> list[dict[str, str]]:
            found = [message for message in tuple(self.told) if name in message]
            return found[times - 1 :]

        found: list[dict[str, str]] = until(heard, f"{name}, only {self.told}, {self.process.stderr}", within)
        return found[-1]

    def times(self, name: str) -> list[float]:
        """Return when messages with an assignment came."""
        return [at for at, message in zip(tuple(self.at), tuple(self.told), strict=False) if name in message]

    def _hear(self) -> None:
        while True:
            try:
                data = self._notify.recv(4096)
            except OSError:
                return
            if not data:
                return
            self.at.append(time.perf_counter())
            self.told.append(dict(line.split("=", 1) for line in data.decode().split("\n")))


@contextmanager
def started(
    folder: Path,
    *flags: str,
    sockets: Mapping[str, socket.socket] | None = None,
    watchdog: float | None = None,
    provider: Provider | None = None,
    admin: str = "127.0.0.1:0",
    **environ: str,
) -> Iterator[Service]:
    """Run `aibridge serve` as a service with these sockets, by name; at the end it ends without a traceback."""
    sockets = sockets or {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, ExitStack() as ended:
        address = folder / f"notify-{time.monotonic_ns()}"
        notify.bind(str(address))
        environ["NOTIFY_SOCKET"] = str(address)
        environ["LISTEN_FDNAMES"] = ":".join(sockets)
        if watchdog:
            environ["WATCHDOG_USEC"] = str(round(watchdog * 1_000_000))
        numbers = [sock.fileno() for sock in sockets.values()]
        binds = [] if "callers" in sockets else ["--bind", "127.0.0.1:0"]
        binds += [] if "admin" in sockets else ["--admin-bind", admin]
        where = provider.flags if provider else ()
        process = Process(
            *("serve", *binds, "--log-format", "json", *where, *flags),
            program=(sys.executable, "-c", _HAND_OVER, ",".join(map(str, numbers)), *PROGRAM),
            descriptors=numbers,
            environ=environ,
        )
        ended.callback(notify.shutdown, socket.SHUT_RDWR)
        ended.callback(process.end)
        yield Service(process, notify)
        assert "Traceback" not in process.stderr, process.stderr
        assert '"event": "bug"' not in process.stderr, process.stderr


class Load:
    """Callers that ask without a pause, each request on a connection of its own or all on a kept one."""

    def __init__(self, url: str, callers: int = 4) -> None:
        self.statuses: list[int] = []
        self.faults: list[str] = []
        self.longest = 0.0
        self._url = url
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number % 2 == 0,), daemon=True) for number in range(callers)
        ]

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Ask for as long as the block lasts; at its end every request has its answer."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(6 * PATIENCE)
                assert not thread.is_alive()

    def asked(self, more: int) -> None:
        """Wait until so many more requests are answered."""
        least = len(self.statuses) + len(self.faults) + more
        until(lambda: len(self.statuses) + len(self.faults) >= least, f"{more} more answers", 6 * PATIENCE)

    def _ask(self, keeps: bool) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=4 * PATIENCE) as kept:
            while not self._over.is_set():
                began = time.perf_counter()
                try:
                    if keeps:
                        answer = kept.post(CHAT, json={"model": "m", "messages": ASK})
                    else:
                        answer = httpx.post(
                            self._url + CHAT, json={"model": "m", "messages": ASK}, timeout=4 * PATIENCE
                        )
                    self.statuses.append(answer.status_code)
                except httpx.HTTPError as error:
                    self.faults.append(f"{type(error).__name__} {error} keeps={keeps}")
                self.longest = max(self.longest, time.perf_counter() - began)
                time.sleep(0.01)
