"""The soak's launcher, for bridges that keep something of each request: what the variable LEAK says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import trio

from aibridge_trio.cli.main import main
from aibridge_trio.gateway.gateway import Gateway
from aibridge_trio.http.message import Request
from bench.soak.launcher import window

kept: list[object] = []


LEAKS: dict[str, Callable[[], object]] = {
    "task": lambda: trio.lowlevel.spawn_system_task(trio.sleep_forever),
    "descriptor": lambda: os.dup(0),
    "objects": lambda: kept.extend([each] for each in range(10)),
    "bug": lambda: 1 / 0,
}
serve = Gateway._serve


async def _leaking(self: Gateway, request: Request, *rest: object) -> None:
    if request.path != b"/":  # which the soak asks for before it begins
        LEAKS[os.environ["LEAK"]]()
    await serve(self, request, *rest)  # type: ignore[arg-type]  # what it needs is not the leak's business


if __name__ == "__main__":
    window()
    Gateway._serve = _leaking  # type: ignore[method-assign, assignment]  # the point of it
    sys.exit(main())
