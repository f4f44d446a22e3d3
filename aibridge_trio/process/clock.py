"""Trio's clock without a frame of Python around it: a request asks for the time a dozen times."""

from __future__ import annotations

import time

import trio


class PlainClock(trio.abc.Clock):
    """The clock that Trio uses by itself, without its random offset: `current_time` is the C function."""

    current_time = staticmethod(time.perf_counter)

    def start_clock(self) -> None:
        """Nothing to do: it runs."""

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return the seconds until then."""
        return deadline - time.perf_counter()
