"""The `Date` of responses, formatted once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate


class DateHeader:
    """The time of day as a value of `Date`; `clock` returns the seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._value = b""

    def value(self) -> bytes:
        """Return the value for now."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._value = second, formatdate(second, usegmt=True).encode("ascii")
        return self._value


DATE = DateHeader(time.time)  # noqa: TID251 - what `formatdate()` reads, once a second instead of once a response
