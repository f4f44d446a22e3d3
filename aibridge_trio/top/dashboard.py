"""The dashboard at work: documents and keys come in, frames go out."""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from typing import Any

import trio

from aibridge_trio.admin.client import EARLY, HUNG_UP, RETRY, AdminClient, Refused, Unreachable
from aibridge_trio.errors import CommandError
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import Unreadable, read
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import Order, View, press, rows

# Rates over less are too nervous to read (seconds).
SHORTEST_INTERVAL = 10.0
# How often it is looked whether time alone has made a frame due; what happens is drawn when it does (seconds).
_TICK = 0.25
# However much happens, frames are so far apart (seconds).
_SHORTEST_PAUSE = 0.05
# So long a notice stands in the place of the keys (seconds).
_NOTICE = 5.0
# Signals come in twos and threads, as when a terminal is closed: so long the last one waits for others (seconds).
_LAST = 0.01


class Dashboard:
    """One showing of a bridge on a terminal."""

    def __init__(self, operator: AdminClient, terminal: Terminal, view: View) -> None:
        self._operator = operator
        self._terminal = terminal
        self._view = view
        self._width = 0
        self._history = History()
        self._link = Link(operator.url)
        self._heard: float | None = None
        # What is shown while paused. Time stands still in it, and in the last word of a bridge that is lost.
        self._still: Picture | None = None
        self._paused_at = self._lost_at = math.inf
        self._noticed = 0.0
        self._drawn = -math.inf
        self._due = False
        self._alarm = trio.Event()
        self._orders = 0
        self._ending = ""
        self._failure: CommandError | None = None
        self._over = trio.Event()

    async def run(self) -> bool:
        """Show until told to end; returns whether it was quit, and not interrupted.

        Raises CommandError if the bridge refused to be watched, or did not confirm an order.
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
        happened = self._history.add(read(said), now) or bool(self._link.lost) or self._link.silent
        self._link = replace(self._link, lost="")
        self._heard, self._lost_at = now, math.inf
        if happened or now - self._drawn >= self._view.interval * (1 - EARLY):
            self._show()

    def _lose(self, why: str) -> None:
        self._link = replace(self._link, lost=why)
        self._lost_at = min(self._lost_at, trio.current_time())
        self._show()

    # What comes from the operator.

    async def _type(self, nursery: trio.Nursery) -> None:
        while True:
            for key in await self._terminal.keys():
                asked = self._view.asking
                self._press(key, nursery)
                if self._view.asking and not asked:
                    # Nobody has seen the question yet: what came together with it, in a paste, is no answer.
                    break
            self._show()

    def _press(self, key: str, nursery: trio.Nursery) -> None:
        picture = self._picture()
        shown = [row.provider.name for row in rows(self._view, picture)] if picture else []
        paused = self._view.paused
        self._view, order = press(self._view, key, shown, self._width)
        self._noticed = trio.current_time()
        if self._view.paused and not paused:
            self._still, self._paused_at = picture, self._moment()
        elif not self._view.paused:
            self._still, self._paused_at = None, math.inf
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
            self._show()
        else:
            if self._orders:
                self._failure = CommandError(
                    "the last order was not confirmed; see aibridge top, or aibridge breaker"
                )
            self._view = replace(self._view, end=how)
            self._over.set()

    async def _carry_out(self, order: Order) -> None:
        try:
            notice = await self._operator.override(order.provider, order.mode)
        except (Refused, Unreachable) as error:
            notice = f"{order.provider}: not done, {error.why}"
            if self._ending:
                self._failure = CommandError(notice)
        self._orders -= 1
        self._view = replace(self._view, notice=notice)
        self._noticed = trio.current_time()
        if self._ending and not self._orders:
            self._end(self._ending)
        self._show()

    async def _obey(self, signals: Any) -> None:
        async for number in signals:
            if number == signal.SIGTSTP:
                self._terminal.suspend()
            elif number == signal.SIGCONT:
                self._terminal.retake()
            elif number != signal.SIGWINCH:
                self._end("interrupted")
            self._show()

    # What is seen.

    def _show(self) -> None:
        """Draw what has happened: now, or as soon as the next frame may follow the last one."""
        if trio.current_time() >= self._drawn + _SHORTEST_PAUSE:
            self._draw()
        else:
            self._due = True
            self._alarm.set()

    async def _tick(self) -> None:
        """Draw what had to wait; and when nothing came: countdowns go on, and the bridge's silence is seen."""
        while True:
            self._alarm = trio.Event()
            if not self._due:
                with trio.move_on_after(_TICK):
                    await self._alarm.wait()
            if self._due:
                await trio.sleep_until(self._drawn + _SHORTEST_PAUSE)
            now = trio.current_time()
            if self._view.notice and not self._ending and now >= self._noticed + _NOTICE:
                self._view = replace(self._view, notice="")
                self._due = True
            late = now >= self._drawn + self._view.interval + _TICK
            # Else nobody would see it before the next frame, which may be a minute away.
            fell_silent = self._listened().silent and not self._link.silent
            if self._due or late or fell_silent:
                self._show()

    def _picture(self) -> Picture | None:
        """What is known; it stands still while paused."""
        return self._still or self._history.picture(max(SHORTEST_INTERVAL, self._view.interval))

    def _moment(self) -> float:
        """The time of what is shown."""
        return min(trio.current_time(), self._paused_at, self._lost_at)

    def _listened(self) -> Link:
        """The way to the bridge as it is now; `_link` is how it was drawn."""
        return replace(self._link, silence=None if self._heard is None else trio.current_time() - self._heard)

    def _draw(self) -> None:
        self._link = self._listened()
        try:
            self._width, height = self._terminal.size()
            canvas = Canvas(self._width, height, ascii=self._terminal.ascii)
            self._terminal.draw(frame(self._picture(), self._view, self._link, canvas, self._moment()))
        except OSError:
            # The terminal has gone, and whoever looked at it.
            self._view = replace(self._view, end="interrupted")
            self._over.set()
        self._drawn, self._due = trio.current_time(), False


_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)
