"""The bridge's process: started with all protections on, looked at from outside and inside, ended by a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from bench.compare.process import Failed
from bench.soak.asks import MAX_BODY
from bench.soak.outside import Outside, look

ROOT = Path(__file__).parents[2]
# Seconds for its start, for an answer to a signal, and for its end.
_START = 60.0
_TELL = 20.0
_END = 30.0
_TICK = 0.02

# Everything that protects, tight enough to be felt, and waits short enough that faults end in time. What the
# program does not know yet, or no more, is left out.
PROTECTIONS = {
    "--max-concurrency": "40",
    "--max-concurrency-per-caller": "3",
    "--max-concurrency-per-provider": "18",
    "--queue-size": "16",
    "--queue-timeout": "300ms",
    "--rate-limit": "20",
    "--max-body": f"{MAX_BODY // 1024}KiB",
    "--max-connections": "300",
    "--max-connections-per-address": "50",
    "--max-duration": "1h",
    "--max-buffered": "256MiB",
    "--circuit-breaker": None,
    "--circuit-breaker-failure-threshold": "25",
    "--circuit-breaker-failure-share": "10%",
    "--circuit-breaker-window": "1s",
    "--circuit-breaker-cooldown": "200ms",
    "--circuit-breaker-half-open-max-requests": "3",
    "--circuit-breaker-max-cooldown": "400ms",
    "--circuit-breaker-scope": "model",
    "--circuit-breaker-models": "m,new-*",
    "--circuit-breaker-429": "credential",
    "--circuit-breaker-ramp": "300ms",
    "--circuit-breaker-slow-first-byte": "700ms",
    "--connect-timeout": "1s",
    "--first-byte-timeout": "1s",
    "--idle-timeout": "1s",
    "--graceful-timeout": "5s",
}


@dataclass(frozen=True, slots=True)
class Inside:
    """What the process says of itself: Trio's tasks, the collector's objects, the allocator's blocks.

    `garbage` is what the collector had to find, `kinds` are the objects by type.
    """

    tasks: int
    objects: int
    blocks: int
    garbage: int
    kinds: Mapping[str, int]


class Bridge:
    """A running bridge: its ports, its process, its log."""

    def __init__(self, process: trio.Process, log: Path, complain: Callable[[str], None]) -> None:
        self.port = self.admin_port = 0
        self.told: Counter[str] = Counter()
        self._process = process
        self._log = log.open("rb")
        self._rest = b""
        self._complain = complain
        self._answer = b""

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def outside(self) -> Outside:
        """Look at it from outside."""
        self.check()
        return look(self.pid)

    async def inside(self) -> Inside:
        """Ask it how it is inside."""
        self.check()
        self._process.send_signal(signal.SIGUSR1)
        assert self._process.stdout
        with trio.move_on_after(_TELL):
            while b"\n" not in self._answer:
                data = await self._process.stdout.receive_some()
                if not data:
                    break
                self._answer += data
        line, newline, self._answer = self._answer.partition(b"\n")
        if not newline:
            raise Failed("the bridge does not say how it is inside")
        return Inside(**json.loads(line))

    def check(self) -> None:
        """Read what it has logged since; Failed if it has ended."""
        self.read_log()
        if (status := self._process.poll()) is not None:
            raise Failed(f"the bridge ended with status {status}")

    def read_log(self) -> None:
        """Count what it has logged since, and complain about what no log may say."""
        *lines, self._rest = (self._rest + self._log.read()).split(b"\n")
        for line in lines:
            try:
                self._hear(json.loads(line))
            except (ValueError, TypeError, KeyError):
                self._complain(f"the bridge said: {line.decode(errors='replace')[:300]}")

    def _hear(self, said: Mapping[str, Any]) -> None:
        event = said["event"]
        if event == "request":
            self.told[f"reject {said['reject']}" if said["reject"] else f"status {said['status']}"] += 1
            self.told["broken"] += bool(said["broken"])
        elif event == "breaker":
            self.told[f"breaker {said['from']} → {said['to']}"] += 1
        elif event == "key":
            self.told[f"key {said['state']}"] += 1
        else:
            self.told[event] += 1
        refused = event == "key"  # the providers here answer 401 at times, whatever the key
        if event == "bug" or (said["level"] == "error" and not refused) or said.get("reject") == "internal_error":
            self._complain(f"the bridge logged: {json.dumps(said)}")
        if event == "start":
            found = re.search(r"listens on \S+:(\d+), admin on \S+:(\d+);", said["detail"])
            assert found
            self.port, self.admin_port = map(int, found.groups())

    async def begin(self) -> None:
        """Wait until it listens."""
        with trio.move_on_after(_START):
            while not self.port:
                self.check()
                await trio.sleep(_TICK)
        if not self.port:
            raise Failed("the bridge does not start")

    async def end(self) -> None:
        """Stop it as an operator does, and complain if that is not how it ends."""
        self._process.terminate()
        with trio.move_on_after(_END) as scope:
            await self._process.wait()
        self.read_log()
        if scope.cancelled_caught or self._process.returncode:
            self._complain(f"told to stop, it ended with status {self._process.returncode} within {_END:g} s")

    async def close(self) -> None:
        """Leave nothing of it, and no word of its log unread.

        Log lines are written a moment after what they tell, and those of the last moment at the process's end.
        """
        with trio.move_on_after(_END, shield=True):
            self._process.terminate()
            with trio.move_on_after(_TELL):
                await self._process.wait()
            self._process.kill()
            await self._process.wait()
            assert self._process.stdout
            await self._process.stdout.aclose()
        self.read_log()
        self._log.close()


@asynccontextmanager
async def a_bridge(
    launcher: str, ports: Mapping[str, int], folder: Path, complain: Callable[[str], None]
) -> AsyncIterator[Bridge]:
    """Run a bridge in front of these providers; `launcher` is the module that runs it."""
    flags = [
        *("--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", "--log-format", "json"),
        *("--openai-base-url", f"http://127.0.0.1:{ports['openai']}/v1"),
        *("--anthropic-base-url", f"http://127.0.0.1:{ports['anthropic']}"),
        *("--copilot-base-url", f"http://127.0.0.1:{ports['copilot']}"),
        *protections(await _help()),
    ]
    log = folder / "bridge.log"
    with log.open("wb") as stderr:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", launcher, "serve", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
            env={**_environment(), "ANTHROPIC_API_KEY": "sk-ant-soak-central"},
        )
    bridge = Bridge(process, log, complain)
    try:
        await bridge.begin()
        yield bridge
    finally:
        await bridge.close()


def protections(help_page: str) -> list[str]:
    """Return the protections among the flags that a help page names."""
    known = set(re.findall(r"(?<![\w-])--[\w-]+", help_page))
    chosen = [(flag, value) for flag, value in PROTECTIONS.items() if flag in known]
    return [word for flag, value in chosen for word in ((flag,) if value is None else (flag, value))]


async def _help() -> str:
    command = [sys.executable, "-m", "aibridge_trio", "serve", "--help"]
    done = await trio.run_process(command, capture_stdout=True, cwd=ROOT, env=_environment())
    return done.stdout.decode()


def _environment() -> dict[str, str]:
    """Return this process's without what configures a bridge."""
    foreign = re.compile(r"AIBRIDGE_|_API_KEY|_proxy$", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not foreign.search(name)}
