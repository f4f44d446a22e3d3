"""The running dashboard: receives status documents, keys and signals, and draws frames."""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import trio

from aibridge_trio.admin import explaining, orders
from aibridge_trio.admin.client import EARLY, AdminClient, Refused
from aibridge_trio.errors import CommandError
from aibridge_trio.top import refusals
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.refusals import Refusals
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.refusals import frame as refused_frame
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import Order, View, press, rows
from aibridge_trio.top.watched import Watched

# Rates over shorter intervals fluctuate too much (seconds).
SHORTEST_INTERVAL = 10.0
# How often the clock is checked for a frame that is due by time alone (seconds).
_TICK = 0.25
# The shortest time between frames (seconds), and how much longer than drawing one it is: a frame of a hundred
# replicas takes long.
_SHORTEST_PAUSE, _PAUSES = 0.05, 4.0
# How long a notice replaces the line of keys (seconds).
_NOTICE = 5.0
# A closing terminal sends several signals; how long to wait for further ones at the end (seconds).
_SIGNAL_GRACE = 0.01
_DONE = {"open": "forced open", "close": "forced closed", "auto": "automatic again"}


class Dashboard:
    """The dashboard of one bridge on one terminal."""

    def __init__(self, client: AdminClient, terminal: Terminal, view: View) -> None:
        # The bridge that is shown.
        self._of = Watched(client)
        self._terminal = terminal
        self._view = view
        self._width = 0
        # The picture shown while paused. Its time stands still, as does the last picture of a lost bridge.
        self._frozen: Picture | None = None
        self._paused_at = math.inf
        self._notice_since = 0.0
        self._drawn, self._pause = -math.inf, _SHORTEST_PAUSE
        self._due = False
        self._wake = trio.Event()
        self._pending_orders = 0
        # The bridges that the question is about.
        self._asked: list[AdminClient] = []
        self._refusals = Refusals()
        self._ending = ""
        self._failure: CommandError | None = None
        self._ended = trio.Event()

    async def run(self) -> bool:
        """Run until quit or interrupted; returns whether it was quit.

        Raises CommandError if the bridge refused the connection, or did not confirm an order.
        """
        with trio.open_signal_receiver(*_SIGNALS) as signals, self._terminal:
            async with trio.open_nursery() as nursery:
                self._draw()
                nursery.start_soon(self._follow)
                nursery.start_soon(self._tick)
                nursery.start_soon(self._read_keys, nursery)
                nursery.start_soon(self._handle_signals, signals)
                await self._ended.wait()
                nursery.cancel_scope.cancel()
            # A signal left in the receiver would be raised again after it closes, and end the process.
            with trio.move_on_after(_SIGNAL_GRACE):
                async for _ in signals:
                    pass
        if self._failure:
            raise self._failure
        return self._view.end == "quit"

    # Documents from the bridge.

    async def _follow(self) -> None:
        await self._of.follow(self._received, partial(self._lost, self._of))

    def _lost(self, watched: Watched, refused: Refused | None) -> None:
        if refused and watched.picture(SHORTEST_INTERVAL) is None:
            self._failure = refused
            self._ended.set()
        self._request_frame()

    def _received(self, news: bool) -> None:
        if news or trio.current_time() - self._drawn >= self._view.interval * (1 - EARLY):
            self._request_frame()

    # Keys, orders and signals of the user.

    async def _read_keys(self, nursery: trio.Nursery) -> None:
        while True:
            for key in await self._terminal.keys():
                asked = self._view.asking
                if not self._press_in_list(key, nursery):
                    self._press(key, nursery)
                if self._view.asking and not asked:
                    # The user has not seen the question yet: keys that came with it, as in a paste, are no answer.
                    break
            self._request_frame()

    def _press_in_list(self, key: str, nursery: trio.Nursery) -> bool:
        """Handle a key where refused requests are shown; return whether they are."""
        if not self._view.refused or key == "interrupt":
            return False
        after, wanted = refusals.press(self._refusals, key)
        self._view = replace(self._view, refused=after is not None)
        self._refusals = after or Refusals()
        if wanted:
            nursery.start_soon(self._ask_refused, wanted)
        return True

    async def _ask_refused(self, request_id: str = "") -> None:
        """Show the latest refused requests, or open one of them."""
        found, failed = await explaining.ask(self._targets(), request_id)
        said = next(map(str, failed.values()), "no request was refused" if not request_id else "it is not kept")
        if request_id:
            opened = [line for each in found for line in explaining.lines(each)] or [said]
            self._refusals = replace(self._refusals, opened=opened)
        else:
            self._refusals = Refusals(found[::-1], said=said)
        self._request_frame()

    def _press(self, key: str, nursery: trio.Nursery) -> None:
        picture, paused, asked = self._picture(), self._view.paused, self._view.asking
        self._view, order = press(self._view, key, self._shown(), self._width)
        self._notice_since = trio.current_time()
        if self._view.asking and not asked:
            self._asked = self._targets()
            self._view = replace(self._view, asking=replace(self._view.asking, replicas=len(self._asked)))
        if self._view.paused and not paused:
            self._frozen, self._paused_at = picture, self._shown_time()
        elif not self._view.paused:
            self._frozen, self._paused_at = None, math.inf
        if self._view.refused:
            self._refusals = Refusals()
            nursery.start_soon(self._ask_refused)
        if order:
            self._pending_orders += 1
            nursery.start_soon(self._execute, order, self._asked)
        if self._view.end:
            self._end(self._view.end)

    def _shown(self) -> list[str]:
        """The providers from top to bottom."""
        picture = self._picture()
        return [row.provider.name for row in rows(self._view, picture)] if picture else []

    def _targets(self) -> list[AdminClient]:
        """The bridges that an order is for."""
        return [self._of.client]

    def _end(self, how: str) -> None:
        """End after confirmed orders are executed; the second call ends at once."""
        if self._pending_orders and not self._ending:
            self._ending = how
            self._view = replace(self._view, end="", notice="waiting for the bridge; the same again gives up")
            self._request_frame()
        else:
            if self._pending_orders:
                self._failure = CommandError(
                    "the last order was not confirmed; see aibridge top, or aibridge breaker"
                )
            self._view = replace(self._view, end=how)
            self._ended.set()

    async def _execute(self, order: Order, clients: Sequence[AdminClient]) -> None:
        outcome = await orders.override_at(clients, order.provider, order.mode)
        if outcome.failure:
            why = f"not done, {orders.cause(outcome.failure)}" if len(clients) == 1 else str(outcome.failure)
            notice = f"{order.provider}: {why}"
            if self._ending:
                self._failure = CommandError(notice)
        elif len(clients) == 1:
            [notice] = outcome.lines
        else:
            notice = f"{order.provider}: {_DONE[order.mode]} at all {len(clients)} replicas"
        self._pending_orders -= 1
        self._view = replace(self._view, notice=notice)
        self._notice_since = trio.current_time()
        if self._ending and not self._pending_orders:
            self._end(self._ending)
        self._request_frame()

    async def _handle_signals(self, signals: Any) -> None:
        async for number in signals:
            if number == signal.SIGTSTP:
                self._terminal.suspend()
            elif number == signal.SIGCONT:
                self._terminal.retake()
            elif number != signal.SIGWINCH:
                self._end("interrupted")
            self._request_frame()

    # Frames.

    def _request_frame(self) -> None:
        """Draw a frame now, or as soon as the pause after the last one is over."""
        if trio.current_time() >= self._drawn + self._pause:
            self._draw()
        else:
            self._due = True
            self._wake.set()

    async def _tick(self) -> None:
        """Draw postponed frames, and frames without new documents: countdowns, and a bridge that falls silent."""
        while True:
            self._wake = trio.Event()
            if not self._due:
                with trio.move_on_after(_TICK):
                    await self._wake.wait()
            if self._due:
                await trio.sleep_until(self._drawn + self._pause)
            now = trio.current_time()
            if self._view.notice and not self._ending and now >= self._notice_since + _NOTICE:
                self._view = replace(self._view, notice="")
                self._due = True
            late = now >= self._drawn + self._view.interval + _TICK
            # The next frame may be a minute away.
            if self._due or late or self._fell_silent():
                self._request_frame()

    def _fell_silent(self) -> bool:
        """Whether a bridge is silent, and was not when it was drawn."""
        return self._of.current_link().silent and not self._of.link.silent

    def _picture(self) -> Picture | None:
        """The current picture, or the frozen one while paused."""
        return self._frozen or self._of.picture(max(SHORTEST_INTERVAL, self._view.interval))

    def _shown_time(self) -> float:
        """The time that the picture is shown as of."""
        return min(trio.current_time(), self._paused_at, self._of.lost_at)

    def _frame(self, canvas: Canvas) -> Frame:
        self._of.link = self._of.current_link()
        return frame(self._picture(), self._view, self._of.link, canvas, self._shown_time())

    def _draw(self) -> None:
        began = trio.current_time()
        try:
            self._width, height = self._terminal.size()
            canvas = Canvas(self._width, height, ascii=self._terminal.ascii)
            shown = refused_frame(self._refusals, canvas) if self._view.refused else self._frame(canvas)
            self._terminal.draw(shown)
        except OSError:
            # The terminal has gone.
            self._view = replace(self._view, end="interrupted")
            self._ended.set()
        self._drawn, self._due = trio.current_time(), False
        self._pause = max(_SHORTEST_PAUSE, _PAUSES * (self._drawn - began))


_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)
