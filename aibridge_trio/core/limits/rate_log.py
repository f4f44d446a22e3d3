"""When one caller's requests were admitted: exact up to 256 times, and in slices of their span beyond.

Beyond, what was admitted within a 256th of the span counts as if it had been admitted at the end of it: up to a
256th too long, never too short. So a log has at most some 260 entries of 16 bytes, whatever its rate is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

# So many times are kept one by one; of larger amounts this is the number of slices of a span.
RESOLUTION = 256


def width(amount: int, span: float) -> float:
    """Return the width of the slices (seconds) in which a log counts a rate; 0 if it counts one by one."""
    return span / RESOLUTION if amount > RESOLUTION else 0.0


class RateLog:
    """Times in ascending order, each with how many it stands for."""

    __slots__ = ("_began", "_counts", "times", "total")

    def __init__(self) -> None:
        self.times = array("d")
        self.total = 0
        self._counts: array[int] | None = None  # while each time stands for one
        self._began = 0.0  # the first time that the last entry stands for

    def add(self, time: float, width: float) -> None:
        """Count one at a time; with a width above 0 together with others that lie within it."""
        self.total += 1
        if width:
            if self.times and time - self._began < width:
                if self._counts is None:
                    self._counts = array("L", [1] * len(self.times))
                self.times[-1] = time
                self._counts[-1] += 1
                return
            self._began = time
        self.times.append(time)
        if self._counts is not None:
            self._counts.append(1)

    def expire(self, now: float, span: float) -> int:
        """Forget what lies `span` seconds or more before `now`; return how many are left."""
        times, counts = self.times, self._counts
        while times and times[0] + span <= now:
            times.pop(0)
            self.total -= 1 if counts is None else counts.pop(0)
        return self.total

    def at(self, index: int) -> float:
        """Return the time of the one with this index; those of an entry count as its last."""
        if self._counts is None:
            return self.times[index]
        for time, count in zip(self.times, self._counts, strict=True):
            index -= count
            if index < 0:
                return time
        raise IndexError

    def remove(self, time: float, width: float) -> None:
        """Take away one that was counted at a time, if it is still known."""
        index = bisect_left(self.times, time)
        if index == len(self.times) or self.times[index] - time > width:
            return
        self._take(index)

    def drop_first(self) -> None:
        """Take away the first one."""
        if self._counts is None:
            self.total -= 1
            del self.times[0]
        else:
            self._take(0)

    def _take(self, index: int) -> None:
        self.total -= 1
        if self._counts is not None and self._counts[index] > 1:
            self._counts[index] -= 1
            return
        del self.times[index]
        if self._counts is not None:
            del self._counts[index]

    def __bool__(self) -> bool:
        return bool(self.total)

    def __repr__(self) -> str:
        return f"<RateLog total={self.total} entries={len(self.times)}>"
