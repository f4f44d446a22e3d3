"""What SIGTERM and SIGHUP do before the program waits for them: end it, with a word and a status.

The kernel drops a signal that the first process of a container has no handler for, so a handler is the program's
first act. Nothing has been opened when it runs, or what runs (a simulation, a check) has nothing to close. Those
commands that wait for signals replace it (`trio.open_signal_receiver`), without a moment in between.

Only what is built into Python is imported here: everything else takes time in which a signal would be lost.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal imports enum and more
import os
import sys

# Commands for which a signal is the ordinary end.
_SERVICES = ("serve", "mock", "demo")
_INTERRUPTED = 130


def catch() -> None:
    """Handle the signals that mean an end; SIGHUP only where it isn't ignored, as under nohup."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(_signal, name)
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, _end)


def ends() -> tuple[int, ...]:
    """Return the signals at which a service stops: SIGHUP among them unless it is ignored."""
    hangup = () if _signal.getsignal(_signal.SIGHUP) is _signal.SIG_IGN else (_signal.SIGHUP,)
    return (_signal.SIGINT, _signal.SIGTERM, *hangup)


def _end(number: int, _frame: object) -> None:
    """End the process here and now: an exception would meet code that is not made for it."""
    name = "SIGTERM" if number == _signal.SIGTERM else "SIGHUP"
    try:
        blocking = os.get_blocking(2)
        os.set_blocking(2, False)
        try:
            os.write(2, f"aibridge: ended by {name}\n".encode())
        finally:
            os.set_blocking(2, blocking)  # it is the shell's and other processes' too
    except OSError:
        pass  # it is closed, or its reader does not read
    os._exit(0 if sys.argv[1:2] and sys.argv[1] in _SERVICES else _INTERRUPTED)
