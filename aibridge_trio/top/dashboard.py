"""The dashboard at work: documents and keys come in, frames go out."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import trio

from aibridge_trio.client import EARLY, HUNG_UP, RETRY, Operator, Refused, Unreachable
from aibridge_trio.errors import Failure
from aibridge_trio.top.document import Unreadable, read
from aibridge_trio.top.frame import Canvas, Link, frame
from aibridge_trio.top.history import History, Picture
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import Order, View, press, rows

# Rates over less are too nervous to read (seconds).
SHORTEST_INTERVAL = 10.0
# How often it is looked whether a frame is due; what comes from the bridge is drawn when it comes (seconds).
_TICK = 0.25
# However much happens, frames are so far apart (seconds).
_SHORTEST_PAUSE = 0.05
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
        self._still: Picture | None = None
        self._drawn = -1.0
        self._due = False
        self._orders = 0
        self._ending = ""
        self._failure: Failure | None = None
        self._over = trio.Event()

    async def run(self) -> bool:
        """Show until told to end; returns whether it was quit, and not interrupted.

        Raises Failure if the bridge refused to be watched, or did not confirm an order.
        """
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
        if self._failure:
            raise self._failure
        return self._view.end == "quit"

    # What comes from the bridge.

    async def _follow(self) -> None:
        while True:
            try:
                await self._operator.follow(self._hear)
                self._lose(HUNG_UP)
            except Refused as refused:
                if self._history.picture(SHORTEST_INTERVAL) is None:
                    self._failure = refused
                    self._over.set()
                self._lose(refused.why)
            except Unreachable as gone:
                self._lose(gone.why)
            except Unreadable as strange:
                self._lose(str(strange))
            await trio.sleep(RETRY)

    def _hear(self, said: Any) -> None:
        now = trio.current_time()
        happened = self._history.add(read(said), now) or bool(self._link.lost)
        self._link = replace(self._link, lost="")
        since = now - self._drawn
        if since >= self._view.interval * (1 - EARLY) or (happened and since >= _SHORTEST_PAUSE):
            self._draw()
        else:
            self._due = self._due or happened

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
        picture = self._picture()
        shown = [row.provider.name for row in rows(self._view, picture)] if picture else []
        paused = self._view.paused
        self._view, order = press(self._view, key, shown)
        if self._view.paused and not paused:
            self._still = self._picture()
        elif not self._view.paused:
            self._still = None
        if order:
            self._orders += 1
            nursery.start_soon(self._carry_out, order)
        if self._view.end:
            self._end(self._view.end)

    def _end(self, how: str) -> None:
        """End it; but what was confirmed is carried out first, unless the end is asked for twice."""
        if self._orders and not self._ending:
            self._ending = how
            self._view = replace(self._view, end="", notice="waiting for the bridge; the same again gives up")
            self._draw()
        else:
            if self._orders:
                self._failure = Failure("the last order was not confirmed; see aibridge top, or aibridge breaker")
            self._view = replace(self._view, end=how)
            self._over.set()

    async def _carry_out(self, order: Order) -> None:
        try:
            notice = await self._operator.override(order.provider, order.mode)
        except (Refused, Unreachable) as error:
            notice = f"{order.provider}: not done, {error.why}"
            if self._ending:
                self._failure = Failure(notice)
        self._orders -= 1
        self._view = replace(self._view, notice=notice)
        if self._ending and not self._orders:
            self._end(self._ending)
        self._draw()

    async def _obey(self, signals: Any) -> None:
        async for number in signals:
            if number == signal.SIGTSTP:
                self._terminal.suspend()
            elif number == signal.SIGCONT:
                self._terminal.retake()
            elif number != signal.SIGWINCH:
                self._end("interrupted")
            self._draw()

    # What is seen.

    async def _tick(self) -> None:
        """Draw when a frame is due and nothing came: countdowns go on, and the bridge's silence is seen."""
        while True:
            await trio.sleep(_TICK)
            if self._due or trio.current_time() - self._drawn >= self._view.interval + _TICK:
                self._draw()

    def _picture(self) -> Picture | None:
        """What is known; it stands still while paused."""
        return self._still or self._history.picture(max(SHORTEST_INTERVAL, self._view.interval))

    def _draw(self) -> None:
        picture, now = self._picture(), trio.current_time()
        try:
            width, height = self._terminal.size()
            canvas = Canvas(width, height, ascii=self._terminal.ascii)
            self._terminal.draw(frame(picture, self._view, self._link, canvas, now))
        except OSError:
            # The terminal has gone, and whoever looked at it.
            self._view = replace(self._view, end="interrupted")
            self._over.set()
        self._drawn, self._due = now, False


_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)
