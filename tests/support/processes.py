"""The real programs as processes: started on free ports, watched, ended, and never left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import openai
from prometheus_client.parser import text_string_to_metric_families

# Generous, because machines are noisy; waits look every few milliseconds.
PATIENCE = 10.0
# A process imports some hundred modules before it says a word, beside others that do the same.
START = 60.0
_TICK = 0.005

ASK: Any = [{"role": "user", "content": "hello"}]
# What the mock says to everyone.
TEXT = "This is a mock: it says the same words, in the same order, to everyone who"
CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"

PROGRAM = (sys.executable, "-m", "aibridge_trio")
_ON_FREE_PORTS = ("--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0")


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what configures a bridge, and with `more`."""
    foreign = re.compile(r"^PYTHON(?!PATH)|AIBRIDGE_|_API_KEY|_proxy$|^JOURNAL_STREAM$", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not foreign.search(name)} | more


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the program that ends by itself."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


def until(holds: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """Wait until it holds and return what it gave; an AssertionError that names it when it doesn't in time."""
    deadline = time.perf_counter() + within
    while not (found := holds()):
        assert time.perf_counter() < deadline, f"not within {within:g} s: {what}"
        time.sleep(_TICK)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [sock.getsockname()[1] for sock in socks]
    finally:
        for sock in socks:
            sock.close()


def exhaust(pieces: Iterable[Any], heard: list[Any]) -> None:
    """Append piece by piece, so that what came before an exception is there."""
    for piece in pieces:
        heard.append(piece)  # noqa: PERF402 - extend promises nothing for that case


class Process:
    """One running command; its stderr is collected as it comes."""

    def __init__(
        self,
        *arguments: str,
        program: Sequence[str] = PROGRAM,
        descriptors: Sequence[int] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._popen = subprocess.Popen(
            [*program, *arguments],
            env=environment(**(environ or {})),
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._deaf = False
        self._listens = threading.Event()
        self._listens.set()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    @property
    def stderr(self) -> str:
        """Everything it has said so far."""
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def says(self, pattern: str) -> re.Match[str]:
        """Wait for a line in which the pattern is found; it may be the first line of its start."""

        def found() -> re.Match[str] | None:
            ended = self._popen.poll() is not None
            if ended:
                self._reader.join(PATIENCE)
            hits = [hit for line in tuple(self.lines) if (hit := re.search(pattern, line))]
            assert hits or not ended, f"ended without a word of {pattern!r}: {self.stderr}"
            return hits[0] if hits else None

        hit: re.Match[str] = until(found, f"a line with {pattern!r}, only {self.stderr}", START)
        return hit

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def deafen(self) -> None:
        """Read one line more, then close the pipe under it."""
        self._deaf = True

    def ignore(self) -> None:
        """Read one line more, then leave the pipe to fill, until it has ended."""
        self._listens.clear()

    def wait(self, within: float = PATIENCE) -> int:
        """Wait for its end and return the exit status."""
        status = self._popen.wait(within)
        self._listens.set()
        self._reader.join(within)
        return status

    def end(self, *, kindly: bool = True) -> None:
        """End the process if it still runs, with SIGTERM before SIGKILL if `kindly`, and release its resources."""
        try:
            if kindly and self._popen.poll() is None:
                self._popen.terminate()
                self._popen.wait(PATIENCE)
        finally:
            self._popen.kill()
            self._popen.wait()
            self._listens.set()
            self._reader.join(PATIENCE)
            assert self._popen.stderr
            self._popen.stderr.close()

    def _collect(self) -> None:
        assert self._popen.stderr
        for line in self._popen.stderr:
            self.lines.append(line.rstrip("\n"))
            self._listens.wait()
            if self._deaf:
                self._popen.stderr.close()
                return


@contextmanager
def _running(*arguments: str, bugs: bool = False, **environ: str) -> Iterator[Process]:
    """Run a command for as long as the block lasts; at its end there is no traceback, and no bug told."""
    process = Process(*arguments, environ=environ)
    try:
        yield process
    except BaseException:
        process.end(kindly=False)
        sys.stdout.write(f"stderr of {arguments}:\n{process.stderr}\n")
        raise
    process.end()
    assert "Traceback" not in process.stderr, process.stderr
    assert bugs or not re.search(r'"event": "bug"|^\S+ error +bug ', process.stderr, re.MULTILINE), process.stderr


class Provider:
    """A running `aibridge mock`."""

    def __init__(self, process: Process, url: str, client: httpx.Client) -> None:
        self.process = process
        self.url = url
        self._client = client

    def script(self, *answers: dict[str, Any]) -> None:
        """Append answers."""
        self._client.post("/mock/script", json={"answers": answers}).raise_for_status()

    def unscript(self) -> None:
        """Forget the answers that were not given yet."""
        self._client.delete("/mock/script").raise_for_status()

    def change(self, **options: Any) -> None:
        """Change how it answers from now on."""
        self._client.post("/mock/options", json=options).raise_for_status()

    @contextmanager
    def outage(self, status: int, seconds: float) -> Iterator[None]:
        """Answer everything with an error status, for so many seconds from the next request on.

        A client that is slow to start must see it, too.
        """
        before = self.stats()["requests"]
        self.change(fail={str(status): 1.0})

        def end() -> None:
            until(lambda: self.stats()["requests"] > before, "a request in the outage", START)
            time.sleep(seconds)
            self.change(fail={})

        timer = threading.Thread(target=end)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        stats: dict[str, Any] = self._client.get("/mock/stats").json()
        return stats

    def last(self) -> dict[str, Any]:
        """Return the last request as it arrived."""
        seen: dict[str, Any] = self.stats()["last"][-1]
        return seen

    def credentials(self) -> dict[str, str]:
        """Return the headers of the last request in which a credential may stand."""
        names = {"authorization", "x-api-key", "api-key", "x-aibridge-token", "cookie", "proxy-authorization"}
        return {name: value for name, value in self.last()["headers"] if name.lower() in names}

    def clear(self) -> None:
        """Forget script and counters, once nothing of before is on its way."""
        until(lambda: self.stats()["in_flight"] == 0, "a provider at rest")
        self._client.delete("/mock/script")
        self._client.delete("/mock/stats")

    @property
    def flags(self) -> tuple[str, ...]:
        """Where a bridge finds it."""
        return (
            *("--openai-base-url", f"{self.url}/v1"),
            *("--anthropic-base-url", self.url),
            *("--copilot-base-url", self.url),
        )


@contextmanager
def a_provider(*, bind: str = "127.0.0.1:0") -> Iterator[Provider]:
    """Run `aibridge mock`."""
    with _running("mock", "--bind", bind) as process:
        url = process.says(r"mock provider on (\S+)")[1]
        with httpx.Client(base_url=url, verify=False, trust_env=False, timeout=PATIENCE) as client:
            yield Provider(process, url, client)


class Bridge:
    """A running `aibridge serve`, its operator's client (`admin`) and a caller's (`caller`)."""

    def __init__(
        self, process: Process, url: str, admin_url: str, admin: httpx.Client, caller: httpx.Client
    ) -> None:
        self.process = process
        self.url = url
        self.admin_url = admin_url
        self.admin = admin
        self.caller = caller

    @property
    def port(self) -> int:
        """Where callers connect."""
        return int(self.url.rpartition(":")[2])

    def stranger(self) -> socket.socket:
        """Open a bare connection where callers connect."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def status(self) -> dict[str, Any]:
        """Return `/status`."""
        document: dict[str, Any] = self.admin.get("/status").raise_for_status().json()
        return document

    def breaker(self, provider: str = "openai") -> dict[str, Any]:
        """Return one breaker, as in `/status`."""
        (found,) = [each for each in self.status()["providers"] if each["name"] == provider]
        breaker: dict[str, Any] = found["breaker"]
        return breaker

    def metric(self, sample: str, **labels: str) -> float:
        """Return the value of one sample of `/metrics`."""
        families = text_string_to_metric_families(self.admin.get("/metrics").text)
        (value,) = [s.value for f in families for s in f.samples if s.name == sample and s.labels == labels]
        return value

    def rejects(self, reason: str) -> float:
        """Return how many requests were rejected for this reason."""
        return self.metric("aibridge_rejects_total", reason=reason)

    def in_flight(self) -> float:
        """Return how many requests are in flight."""
        return self.metric("aibridge_requests_in_flight")

    def heal(self) -> None:
        """Bring every breaker back to closed and empty."""
        for provider in ("openai", "anthropic", "copilot"):
            for mode in ("close", "auto"):
                self.admin.post(f"/breakers/{provider}", json={"mode": mode}).raise_for_status()

    def requests(self, least: int = 0) -> list[dict[str, Any]]:
        """Return the log's lines about requests, once there are at least so many.

        A line is written after the caller has its answer.
        """

        def logged() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in tuple(self.process.lines)]
            return [line for line in lines if line["event"] == "request"]

        until(lambda: len(logged()) >= least, f"{least} requests in the log")
        return logged()

    @contextmanager
    def holding(self, key: str, path: str = CHAT) -> Iterator[Iterator[bytes]]:
        """Hold a stream of which something has come; yields what is still to come."""
        ask = {"model": "m", "messages": ASK, "stream": True, "max_tokens": 9}
        with self.caller.stream("POST", path, json=ask, headers={"authorization": f"Bearer {key}"}) as answer:
            pieces = answer.iter_raw()
            assert next(pieces)
            yield pieces  # the connection closes when the iterator is dropped

    @contextmanager
    def gpt(
        self, key: str = "sk-caller", prefix: str = "/openai/v1", timeout: float = PATIENCE, retries: int = 0
    ) -> Iterator[openai.OpenAI]:
        """Open OpenAI's SDK, pointed at the bridge."""
        with openai.OpenAI(
            base_url=self.url + prefix,
            api_key=key,
            max_retries=retries,
            timeout=timeout,
            http_client=openai.DefaultHttpxClient(verify=False, trust_env=False),
        ) as client:
            yield client

    @contextmanager
    def claude(
        self, key: str = "sk-ant-caller", timeout: float = PATIENCE, retries: int = 0
    ) -> Iterator[anthropic.Anthropic]:
        """Open Anthropic's SDK, pointed at the bridge."""
        with anthropic.Anthropic(
            base_url=f"{self.url}/anthropic",
            api_key=key,
            max_retries=retries,
            timeout=timeout,
            http_client=anthropic.DefaultHttpxClient(verify=False, trust_env=False),
        ) as client:
            yield client


@contextmanager
def a_bridge(
    *flags: str,
    provider: Provider | None = None,
    bugs: bool = False,
    verify: Any = False,
    token: str | None = None,
    log_format: str = "json",
    **environ: str,
) -> Iterator[Bridge]:
    """Run `aibridge serve` on free ports, its providers all the mock; `verify` is for callers' TLS."""
    where = provider.flags if provider else ()
    arguments = ("serve", *_ON_FREE_PORTS, "--log-format", log_format, *where, *flags)
    with _running(*arguments, bugs=bugs, **environ) as process:
        _, url, admin_url = process.says(r"(?=listens on (\S+?)(?: and \S+)*, admin on (\S+);)").group(0, 1, 2)
        headers = {"host": "localhost"} | ({"authorization": f"Bearer {token}"} if token else {})
        with (
            httpx.Client(
                base_url=admin_url, headers=headers, verify=False, trust_env=False, timeout=PATIENCE
            ) as admin,
            httpx.Client(base_url=url, verify=verify, trust_env=False, timeout=PATIENCE) as caller,
        ):
            yield Bridge(process, url, admin_url, admin, caller)
