"""Callers in a process of their own: each asks again as soon as it is answered, and what became of it is counted.

`python -m tests.support.asking` reads one line of JSON (`Callers`) and writes one (`Asked`). A caller that is
refused asks again after a moment. One whose connection could not be made, or was closed before an answer began,
asks again as SDKs do, and is counted.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
_PAUSE = 0.005
_TIMEOUT = 30.0
_OK = 200


@dataclass
class Callers:
    """The ports to ask in turn, how many callers at once, how many requests in all, and with which keys."""

    ports: Sequence[int]
    at_once: int
    requests: int
    key: str = "sk-caller-%d"
    keys: int = 1000
    path: str = "/openai/v1/chat/completions"


@dataclass
class Asked:
    """Answers by status, rejects by reason, requests that got no answer, longest answer, and how long all took."""

    statuses: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    longest: float = 0.0
    seconds: float = 0.0

    @property
    def answered(self) -> int:
        """How many got a provider's answer."""
        return self.statuses.get("200", 0)


class Asking:
    """A process of callers that asks from now on."""

    def __init__(self, callers: Callers) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.asking"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(callers)) + "\n")
        self._process.stdin.flush()

    def asked(self, within: float = 240.0) -> Asked:
        """Wait until all requests were made; return what became of them."""
        try:
            found, _ = self._process.communicate(timeout=within)
        finally:
            self._process.kill()
        return Asked(**json.loads(found))

    @property
    def over(self) -> bool:
        """Whether all requests were made."""
        return self._process.poll() is not None


class _Run:
    def __init__(self, callers: Callers) -> None:
        self.callers = callers
        self.left = callers.requests
        self.lock = threading.Lock()
        self.statuses: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.lost: list[str] = []
        self.refused = 0
        self.longest = 0.0

    def ask(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        ports = self.callers.ports
        turn = number
        while True:
            with self.lock:
                if not self.left:
                    return
                self.left -= 1
                key = self.callers.key % (self.left % self.callers.keys)
            begun = time.perf_counter()
            for attempt in range(5):
                try:
                    if connection is None:
                        turn += 1
                        port = ports[turn % len(ports)]
                        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
                    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
                    connection.request("POST", self.callers.path, _BODY, headers)
                    answer = connection.getresponse()
                except OSError as error:
                    connection = self._closed(connection)
                    cause = f"{type(error).__name__} {error}"
                    self._again()
                    time.sleep(0.05 * attempt)
                    continue
                except http.client.HTTPException as error:
                    connection = self._closed(connection)
                    cause = type(error).__name__
                    self._again()
                    continue
                try:
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    connection = self._closed(connection)
                    self._lose(f"cut: {type(error).__name__}")
                    break
                if answer.will_close:
                    connection = self._closed(connection)
                self._count(answer, time.perf_counter() - begun)
                break
            else:
                self._lose(cause)

    @staticmethod
    def _closed(connection: http.client.HTTPConnection | None) -> None:
        if connection:
            with suppress(OSError):
                connection.close()

    def _again(self) -> None:
        with self.lock:
            self.refused += 1

    def _lose(self, cause: str) -> None:
        with self.lock:
            self.lost.append(cause)

    def _count(self, answer: http.client.HTTPResponse, seconds: float) -> None:
        reject = answer.headers.get("x-aibridge-reject")
        with self.lock:
            self.statuses[str(answer.status)] += 1
            if reject:
                self.rejects[reject] += 1
            self.longest = max(self.longest, seconds)
        if answer.status != _OK:
            time.sleep(_PAUSE)


def _main() -> None:
    run = _Run(Callers(**json.loads(sys.stdin.readline())))
    begun = time.perf_counter()
    threads = [threading.Thread(target=run.ask, args=(number,)) for number in range(run.callers.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    found = Asked(dict(run.statuses), dict(run.rejects), run.lost[:100], run.refused, run.longest, seconds)
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main()
