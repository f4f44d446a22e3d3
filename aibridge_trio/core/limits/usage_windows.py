"""The usage windows of many callers: those in which nothing counts are forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator

from aibridge_trio.core.limits.usage_window import UsageWindow
from aibridge_trio.core.terms import Rate

# Callers remembered at once: at some 2 kB each 200 MB at most, and a tenth of that as callers are.
_MAX_CALLERS = 100_000


class UsageWindows:
    """A window for each caller that uses something. `now` is in seconds on any monotonic clock."""

    def __init__(self, max_callers: int = _MAX_CALLERS) -> None:
        self._max_callers = max_callers
        # Ordered by the last request: the windows in which nothing counts any more are at the front.
        self._windows: OrderedDict[Hashable, UsageWindow] = OrderedDict()

    def of(self, caller: Hashable, rate: Rate, now: float) -> UsageWindow:
        """Return a caller's window, with this rate from now on; it is a new one if none is remembered."""
        window = self._windows.get(caller)
        if window is None:
            self._forget(now)
            window = self._windows[caller] = UsageWindow(rate)
        else:
            self._windows.move_to_end(caller)
            window.rate = rate
        return window

    def find(self, caller: Hashable) -> UsageWindow | None:
        """Return a caller's window, None if none is remembered."""
        return self._windows.get(caller)

    def items(self) -> Iterator[tuple[Hashable, UsageWindow]]:
        """Yield callers and windows, those of the latest requests first."""
        return iter(reversed(self._windows.items()))

    def __len__(self) -> int:
        return len(self._windows)

    def __repr__(self) -> str:
        return f"<UsageWindows {len(self)} callers>"

    def _forget(self, now: float) -> None:
        """Forget windows that are idle, two at most, and the longest unused one if there are too many."""
        for _ in range(2):
            oldest = next(iter(self._windows), None)
            if oldest is None or not self._windows[oldest].idle(now):
                break
            del self._windows[oldest]
        if len(self._windows) >= self._max_callers:
            self._windows.popitem(last=False)
