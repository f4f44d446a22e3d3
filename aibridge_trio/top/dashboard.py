"""The dashboard at work: documents and keys come in, frames go out."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import trio

from aibridge_trio.client import Operator, Refused, Unreachable
from aibridge_trio.errors import Failure
from aibridge_trio.top.document import Unreadable, read
from aibridge_trio.top.frame import Canvas, Link, frame
from aibridge_trio.top.history import History, Picture
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import Order, View, press, rows

# Rates over less are too nervous to read (seconds).
SHORTEST_INTERVAL = 10.0
# Between two attempts to reach a bridge that has gone (seconds).
_RETRY = 1.0
# How often it is looked whether a frame is due; what comes from the bridge is drawn when it comes (seconds).
_TICK = 0.25
# Signals come in twos and threads, as when a terminal is closed: so long the last one waits for others (seconds).
_LAST = 0.01


class Dashboard:
    """One showing of a bridge on a terminal."""

    def __init__(self, operator: Operator, terminal: Terminal, view: View) -> None:
        self._operator = operator
        self._terminal = terminal
        self._view = view
        self._history = History()
        self._link = Link(operator.url)
        self._still: tuple[Picture | None, float] | None = None
        self._drawn = -1.0
        self._refused: Failure | None = None
        self._over = trio.Event()

    async def run(self) -> bool:
        """Show until told to end; returns whether it was quit, and not interrupted. Raises Failure if refused."""
        with trio.open_signal_receiver(*_SIGNALS) as signals, self._terminal:
            async with trio.open_nursery() as nursery:
                self._draw()
                nursery.start_soon(self._follow)
                nursery.start_soon(self._tick)
                nursery.start_soon(self._type, nursery)
                nursery.start_soon(self._obey, signals)
                await self._over.wait()
                nursery.cancel_scope.cancel()
            # Those that nobody took would be sent again when nobody receives them, and end the process.
            with trio.move_on_after(_LAST):
                async for _ in signals:
                    pass
        if self._refused:
            raise self._refused
        return self._view.end == "quit"

    # What comes from the bridge.

    async def _follow(self) -> None:
        while True:
            try:
                await self._operator.follow(self._hear)
                self._lose("it hung up")
            except Refused as refused:
                if self._history.picture(SHORTEST_INTERVAL) is None:
                    self._refused = refused
                    self._over.set()
                self._lose(refused.why)
            except Unreachable as gone:
                self._lose(gone.why)
            except Unreadable as strange:
                self._lose(str(strange))
            await trio.sleep(_RETRY)

    def _hear(self, said: Any) -> None:
        now = trio.current_time()
        happened = self._history.add(read(said), now)
        found = bool(self._link.lost)
        self._link = replace(self._link, lost="")
        if happened or found or now - self._drawn >= self._view.interval * 0.9:
            self._draw()

    def _lose(self, why: str) -> None:
        self._link = replace(self._link, lost=why)
        self._draw()

    # What comes from the operator.

    async def _type(self, nursery: trio.Nursery) -> None:
        while True:
            for key in await self._terminal.keys():
                asked = self._view.asking
                self._press(key, nursery)
                if self._view.asking and not asked:
                    # Nobody has seen the question yet: what came together with it, in a paste, is no answer.
                    break
            self._draw()

    def _press(self, key: str, nursery: trio.Nursery) -> None:
        picture = self._picture()[0]
        shown = [row.provider.name for row in rows(self._view, picture)] if picture else []
        paused = self._view.paused
        self._view, order = press(self._view, key, shown)
        if self._view.paused and not paused:
            self._still = self._picture()
        elif not self._view.paused:
            self._still = None
        if order:
            nursery.start_soon(self._carry_out, order)
        if self._view.end:
            self._over.set()

    def _interrupt(self) -> None:
        self._view = replace(self._view, end="interrupted")
        self._over.set()

    async def _carry_out(self, order: Order) -> None:
        try:
            # What was confirmed is carried out, though the dashboard be quit the moment after.
            with trio.CancelScope(shield=True):
                notice = await self._operator.override(order.provider, order.mode)
        except (Refused, Unreachable) as error:
            notice = f"{order.provider}: not done, {error.why}"
        self._view = replace(self._view, notice=notice)
        self._draw()

    async def _obey(self, signals: Any) -> None:
        async for number in signals:
            if number == signal.SIGTSTP:
                self._terminal.suspend()
            elif number == signal.SIGCONT:
                self._terminal.retake()
            elif number != signal.SIGWINCH:
                self._interrupt()
            self._draw()

    # What is seen.

    async def _tick(self) -> None:
        """Draw when a frame is due and nothing came: countdowns go on, and the bridge's silence is seen."""
        while True:
            await trio.sleep(_TICK)
            if trio.current_time() - self._drawn >= self._view.interval + _TICK:
                self._draw()

    def _picture(self) -> tuple[Picture | None, float]:
        """What is known, and when that is; it stands still while paused."""
        if self._still:
            return self._still
        return self._history.picture(max(SHORTEST_INTERVAL, self._view.interval)), trio.current_time()

    def _draw(self) -> None:
        picture, now = self._picture()
        try:
            width, height = self._terminal.size()
            canvas = Canvas(width, height, ascii=self._terminal.ascii)
            self._terminal.draw(frame(picture, self._view, self._link, canvas, now))
        except OSError:
            # The terminal has gone, and whoever looked at it.
            self._interrupt()
        self._drawn = trio.current_time()


_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)
