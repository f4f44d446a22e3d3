"""Handles SIGTERM and SIGHUP until a command waits for them: exit with a message and a status.

The kernel drops a signal for which the first process of a container has no handler, so installing one is the
program's first act. When it runs, nothing is open yet, or the command (a simulation, a check) has nothing to
close. Commands that wait for signals replace it with `trio.open_signal_receiver`, without a gap.

This module imports built-in modules only: a signal that arrives during longer imports would be lost.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal imports enum and more
import os
import sys

# Commands that run until a signal: their exit status is 0.
_SERVICES = ("serve", "mock", "demo")
_INTERRUPTED = 130


def catch() -> None:
    """Install the handler for SIGTERM and SIGHUP; not for SIGHUP if it is ignored, as under nohup."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(_signal, name)
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, _end)


STOPS = (_signal.SIGINT, _signal.SIGTERM)


def reloads() -> tuple[int, ...]:
    """Return the signals that let a service reload: SIGHUP, unless it is ignored, as under nohup."""
    return () if _signal.getsignal(_signal.SIGHUP) is _signal.SIG_IGN else (_signal.SIGHUP,)


def ends() -> tuple[int, ...]:
    """Return the signals that stop a service that cannot reload."""
    return (*STOPS, *reloads())


class HangUps:
    """Tells whether a SIGHUP is for the end of the terminal, or an operator's wish to reload.

    The kernel sends it to the programs in the foreground of a terminal that goes away. `kill -HUP` comes while the
    terminal is there, or to a program that has none, as under a service manager.
    """

    def __init__(self) -> None:
        self._had_terminal = _has_terminal()

    def is_end(self) -> bool:
        """Return whether the program's terminal has gone since the last call."""
        gone = self._had_terminal and not _has_terminal()
        self._had_terminal = _has_terminal()
        return gone


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _end(number: int, _frame: object) -> None:
    """Exit at once; an exception could be raised in code that does not expect it."""
    name = "SIGTERM" if number == _signal.SIGTERM else "SIGHUP"
    try:
        blocking = os.get_blocking(2)
        os.set_blocking(2, False)
        try:
            os.write(2, f"aibridge: ended by {name}\n".encode())
        finally:
            os.set_blocking(2, blocking)  # the shell and other processes share it
    except OSError:
        pass  # closed, or its reader does not read
    os._exit(0 if sys.argv[1:2] and sys.argv[1] in _SERVICES else _INTERRUPTED)
