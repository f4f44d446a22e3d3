"""The bridge's state without a screen: one frame, or a document a line. Without control codes off a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import trio
from rich.console import Console

from aibridge_trio.client import Operator, Refused, Unreachable
from aibridge_trio.top.document import Unreadable, read
from aibridge_trio.top.frame import Canvas, Link, frame
from aibridge_trio.top.history import History
from aibridge_trio.top.paint import knows_blocks
from aibridge_trio.top.view import View

# Between two attempts to reach a bridge that has gone (seconds).
_RETRY = 1.0
# A document that comes so much too early, as a part of the interval, is taken for the next one.
_EARLY = 0.1


async def show(operator: Operator, interval: float, styled: bool) -> None:
    """Print one frame, as high as it needs to be; unless `styled`, without control codes.

    Raises Failure without a bridge.
    """
    history = History()
    try:
        history.add(read(await operator.status()), trio.current_time())
    except Unreadable as strange:
        raise Unreachable(operator.url, str(strange)) from None
    # Variables that force colours do not make a terminal of a pipe.
    console = Console(highlight=False, force_terminal=styled)
    canvas = Canvas(width=console.width, height=None, ascii=not knows_blocks(sys.stdout.encoding))
    view = View(interval=interval)
    shown = frame(history.picture(interval), view, Link(operator.url), canvas, trio.current_time())
    if styled:
        console.print(shown, end="")
    else:
        sys.stdout.write(shown.plain)


async def tell(operator: Operator, interval: float, once: bool) -> None:
    """Print documents, no more often than every `interval`; says on stderr when the bridge has gone.

    Raises Failure without a bridge to begin with.
    """
    if once:
        _write(await operator.status())
        return
    told: float | None = None

    def hear(said: Any) -> None:
        nonlocal told
        now = trio.current_time()
        if told is None or now - told >= interval * (1 - _EARLY):
            _write(said)
            told = now

    while True:
        try:
            await operator.follow(hear)
            if told is None:
                raise Unreachable(operator.url, "it hung up")  # noqa: TRY301 - as if it had never answered
            why = "it hung up"
        except (Refused, Unreachable) as error:
            if told is None:
                raise
            why = error.why
        sys.stderr.write(f"aibridge: no bridge at {operator.url} ({why}); trying again\n")
        await trio.sleep(_RETRY)


def _write(said: Any) -> None:
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")
    sys.stdout.flush()
