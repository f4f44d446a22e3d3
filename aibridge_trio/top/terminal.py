"""The terminal: taken over for full-screen output and single keys, and restored however the program ends."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import trio
from rich.console import Console
from rich.control import Control
from rich.screen import Screen

from aibridge_trio.process import standard_streams
from aibridge_trio.top.keyboard import Decoder
from aibridge_trio.top.screen.text import Frame, knows_blocks

_READ = 1024


class Terminal:
    """A terminal in full screen, without echo, key by key. A context manager.

    When the terminal has gone, `draw` and `size` raise OSError; leaving does not.
    """

    def __init__(self, screen: TextIO, keyboard: int | None) -> None:
        # Environment variables on colors don't decide whether this is a terminal.
        self._console = Console(file=screen, highlight=False, force_terminal=True)
        self._screen = screen.fileno()
        self._keyboard = keyboard
        self.ascii = not knows_blocks(screen.encoding)
        self._saved: list[Any] | None = None
        self._decoder = Decoder()

    def __enter__(self) -> None:
        self._acquire()

    def __exit__(self, *_: object) -> None:
        self._restore()

    def size(self) -> tuple[int, int]:
        """Return columns and rows, as they are now."""
        columns, rows = os.get_terminal_size(self._screen)
        return (columns, rows) if columns and rows else (80, 24)

    def draw(self, frame: Frame) -> None:
        """Draw a frame over the last one; skip it while the terminal accepts no output, as after Ctrl-S."""
        if not select.select([], [self._screen], [], 0)[1]:
            return
        self._console.size = self.size()
        with self._console:  # one write
            self._console.control(Control.home())
            self._console.print(Screen(frame), end="")

    async def keys(self) -> list[str]:
        """Wait for keys; "interrupt" if the keyboard has gone. Without a keyboard waits for ever."""
        if self._keyboard is None:
            await trio.sleep_forever()
        keys: list[str] = []
        while not keys:
            seconds = self._decoder.timeout if self._decoder.pending else math.inf
            with trio.move_on_after(seconds) as waiting:
                keys = await self._read()
            if waiting.cancelled_caught:
                keys = self._decoder.flush()
        return keys

    def suspend(self) -> None:
        """Restore the terminal, stop this process as Ctrl-Z does, and take the terminal over again when continued.

        Without a shell that could continue it, the system does not stop the process.
        """
        self._restore()
        with _default_handlers(signal.SIGTSTP):
            os.kill(os.getpid(), signal.SIGTSTP)
        self._acquire()

    def retake(self) -> None:
        """Take the screen over again after another process stopped and continued this one."""
        self._enter()

    async def _read(self) -> list[str]:
        assert self._keyboard is not None
        await trio.lowlevel.wait_readable(self._keyboard)
        try:
            data = os.read(self._keyboard, _READ)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        return self._decoder.feed(data) if data else ["interrupt"]

    def _acquire(self) -> None:
        if self._keyboard is not None:
            # In the background this call stops the process until `fg`: the modes are the shell's meanwhile.
            with _default_handlers():
                _retry_on_signal(termios.tcflow, self._keyboard, termios.TCOON)
            self._saved = termios.tcgetattr(self._keyboard)
        self._enter()

    def _enter(self) -> None:
        if self._keyboard is not None:
            _retry_on_signal(tty.setcbreak, self._keyboard, termios.TCSANOW)
        self._console.set_alt_screen(enable=True)
        self._console.show_cursor(show=False)

    def _restore(self) -> None:
        try:
            # Resume output that Ctrl-S stopped, or the next write would block until Ctrl-Q.
            for action in (termios.TCOOFF, termios.TCOON):
                _retry_on_signal(termios.tcflow, self._screen, action)
            self._console.show_cursor(show=True)
            self._console.set_alt_screen(enable=False)
        except (OSError, termios.error):
            # The terminal has gone. Discard buffered output, which Python would try to write at exit.
            standard_streams.discard_output(self._screen)
        finally:
            if self._keyboard is not None and self._saved is not None:
                with suppress(termios.error):
                    _retry_on_signal(termios.tcsetattr, self._keyboard, termios.TCSANOW, self._saved)


@contextmanager
def _default_handlers(*more: signal.Signals) -> Iterator[None]:
    """Restore default handlers of ending signals while the terminal is not ours and needs no restoring."""
    ends = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, *more)
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in ends}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _retry_on_signal(call: Callable[..., object], *arguments: object) -> None:
    """Retry a terminal call that a signal interrupted, as SIGCONT does after a stop in the background."""
    while True:
        try:
            call(*arguments)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
        else:
            return
