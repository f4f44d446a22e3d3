"""The provider of all questions: `aibridge mock` in a process of its own, scripted and counted over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

from bench.compare.process import Failed, Process, python
from bench.scorecard.caller import fetch

CHAT = "/chat/completions"
# As good as for ever.
ALWAYS = 1_000_000
_START = 20.0
_TICK = 0.02
_REST = 5.0


class Provider:
    """A provider on a port of its own; `stop` leaves a port where connections are refused."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = (python(), "-m", "aibridge_trio", "mock", "--bind", f"127.0.0.1:{self.port}")
        self._process = Process(argv, cores=os.sched_getaffinity(0), log=self._log)
        with trio.move_on_after(_START):
            while True:
                self._process.check()
                try:
                    await self.stats()
                except OSError:
                    await trio.sleep(_TICK)
                else:
                    return
        raise Failed(f"the provider does not start: {self._process.last_words()}")

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.stop()
            self._process = None

    async def script(self, *answers: dict[str, Any]) -> None:
        """Append answers to the next chat completions; other requests are answered as usual."""
        document = {"answers": [{"path": CHAT, **answer} for answer in answers]}
        await self._control("POST", "/mock/script", json.dumps(document).encode())

    async def change(self, options: Mapping[str, Any]) -> None:
        """Change options of the mock."""
        await self._control("POST", "/mock/options", json.dumps(dict(options)).encode())

    async def forget(self) -> None:
        """Forget the script: from now on it answers as usual."""
        await self._control("DELETE", "/mock/script")

    async def fresh(self) -> None:
        """Forget script and counts, once nothing of before is on its way; else begin again."""
        await self.forget()
        with trio.move_on_after(_REST):
            while await self.in_flight():  # noqa: ASYNC110 - another process has no event for us
                await trio.sleep(_TICK)
            await self._control("DELETE", "/mock/stats")
            return
        # An earlier question has left requests behind, which must not count as the next question's.
        await trio.to_thread.run_sync(self.stop)
        await self.start()

    async def stats(self) -> dict[str, Any]:
        """Return its counts."""
        return await self._control("GET", "/mock/stats")

    async def calls(self) -> int:
        """Return how many chat completions have reached it. Others are distinguished among the last 32 only."""
        stats = await self.stats()
        others = sum(not each["target"].partition("?")[0].endswith(CHAT) for each in stats["last"])
        return int(stats["requests"]) - others

    async def in_flight(self) -> int:
        """Return how many requests it is working on."""
        return int((await self.stats())["in_flight"])

    async def working_on_more_than(self, count: int) -> None:
        """Wait until it works on more requests than these."""
        while await self.in_flight() <= count:  # noqa: ASYNC110 - another process has no event for us
            await trio.sleep(_TICK)

    async def _control(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        answer = await fetch(self.port, method, path, body)
        if answer.status != 200 or answer.trouble:  # noqa: PLR2004 - OK
            raise Failed(f"the provider answers {method} {path} with {answer}: {answer.body[:200]!r}")
        stats: dict[str, Any] = json.loads(answer.body)
        return stats
