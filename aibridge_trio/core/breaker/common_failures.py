"""Failures over all replicas, as far as counts can carry them. The rules are those of failures.py.

What is judged here is added to common counts (`take`), and what all have counted comes back (`told`):

* Failures of the provider's, and successes: their sums. A call that failed after its success counts as both, since
  a count that was added cannot be taken back.
* Caller-related failures and present callers by seven groups of callers, by a hash. Failures in one group are
  taken for those of one caller; another caller is present if one in another group is. So two callers are taken for
  one once in seven times: then their failures may not count though they should, never the other way round. That a
  slow answer keeps its caller present for longer is known in its own replica only.
* Sums are those of the window, by 16ths of it. They are used for an eighth of it, and not before the first came:
  until then the provider's failures here are counted, and what may be a caller's doing, or needs a share, waits
  for the next sums.
* While the store is away (`alone`) only what was judged here counts.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice
from zlib import crc32

from aibridge_trio.core.breaker.failures import Failures

_GROUPS = 7
# Where the counts are: of the provider's failures, of successes, of callers' failures, of present callers.
_OF_PROVIDER, _SUCCESSES, _OF_CALLERS, _PRESENT = 0, 1, 2, 2 + _GROUPS
COUNTS = 2 + 2 * _GROUPS
# The part of the window for which sums are used, and the part after which counts are sent that are not urgent.
_USED_FOR, _SENT_AFTER = 1 / 8, 1 / 16
# Answers in progress that are looked at, for their callers' groups.
_LOOKED_AT = 64
# A larger sum is a lie: no store can have counted it within a window.
_LARGEST = 1e12


class CommonFailures(Failures):
    """The failures of all replicas. `alone`: the store is away, and only those here count.

    `epoch` is the number of the window: sums of an earlier one are out of date.
    """

    def __init__(self, span: float, threshold: int, share: float = 0.0) -> None:
        super().__init__(span, threshold, share)
        self.alone = True
        self.epoch = 0
        self.urgent = False  # a failure is among what was not sent
        self._unsent = [0] * COUNTS
        self._under_way = [0] * COUNTS
        self._sums: list[int] | None = None
        self._told_at = 0.0

    @property
    def span(self) -> float:
        """The window (seconds)."""
        return self._span

    @property
    def send_after(self) -> float:
        """For how long counts may be kept back that are not urgent (seconds)."""
        return self._span * _SENT_AFTER

    def add(self, now: float, retry_at: float, caller: Hashable | None, succeeded_at: float | None = None) -> None:
        """Record a failure."""
        super().add(now, retry_at, caller, succeeded_at)
        self._unsent[_OF_PROVIDER if caller is None else _OF_CALLERS + _group(caller)] += 1
        self.urgent = True

    def add_success(self, now: float) -> None:
        """Record a success."""
        super().add_success(now)
        self._unsent[_SUCCESSES] += 1

    def succeeded(self, caller: Hashable, now: float, took: float = 0.0) -> None:
        """Record that a caller was present."""
        super().succeeded(caller, now, took)
        self._unsent[_PRESENT + _group(caller)] += 1

    def take(self) -> list[int] | None:
        """Return what is to be added to the common counts, None if nothing was judged; `told` must follow."""
        if not any(self._unsent):
            return None
        for caller in islice(self._in_progress, _LOOKED_AT):
            self._unsent[_PRESENT + _group(caller)] += 1
        self._under_way, self._unsent = self._unsent, [0] * COUNTS
        self.urgent = False
        return self._under_way

    def told(self, sums: object, epoch: int, now: float) -> bool:
        """Take the sums that were returned for what was taken in an epoch; return whether they are such."""
        if epoch != self.epoch:
            return False
        self._under_way = [0] * COUNTS
        if not isinstance(sums, list) or len(sums) != COUNTS or not all(map(_is_count, sums)):
            self._sums = None
            return False
        self._sums, self._told_at = [int(each) for each in sums], now
        return True

    def total(self, now: float) -> int:
        """Return how many failures in the window count."""
        counts = self._counts(now)
        if self.alone:
            return super().total(now)
        total = self._of_provider.count(now)
        if counts:
            total = max(total, counts[_OF_PROVIDER]) + self._of_groups(counts, now)
        return min(self._threshold, total) if self._successes is None else total

    def share(self, now: float) -> float | None:
        """Return the share of the judged calls in the window that failed."""
        counts = self._counts(now)
        if self._successes is None or counts is None:
            return super().share(now)
        total = self.total(now)
        judged = total + counts[_SUCCESSES]
        return total / judged if judged else None

    def enough(self, now: float) -> bool:
        """Return whether the failures in the window open the breaker."""
        if self._share and not self.alone and self._counts(now) is None:
            return False
        return super().enough(now)

    def described(self, now: float) -> str:
        """Return the failures in words; those of several replicas with ` over all replicas`."""
        counts, total = self._counts(now), self.total(now)
        if counts is None or (total <= super().total(now) and not self._of_others(counts, now)):
            return super().described(now)
        if self._successes is not None:
            return f"{total} of {total + counts[_SUCCESSES]} calls failed in {self._span:g} s over all replicas"
        return f"{total} {'failure' if total == 1 else 'failures'} in {self._span:g} s over all replicas"

    def clear(self, *, closed: bool) -> None:
        """Forget the failures, and what is not sent."""
        super().clear(closed=closed)
        self.epoch += 1
        self.urgent = False
        self._unsent, self._under_way, self._sums = [0] * COUNTS, [0] * COUNTS, None

    def _counts(self, now: float) -> list[int] | None:
        """Return what all have counted, None if that is not known."""
        if self.alone or self._sums is None or now - self._told_at > self._span * _USED_FOR:
            return None
        return [sum(each) for each in zip(self._sums, self._under_way, self._unsent, strict=True)]

    def _of_others(self, counts: list[int], now: float) -> bool:
        return self._successes is not None and counts[_SUCCESSES] > self._successes.count(now)

    def _of_groups(self, counts: list[int], now: float) -> int:
        """Return how many caller-related failures count."""
        failed = counts[_OF_CALLERS:_PRESENT]
        groups = [group for group, count in enumerate(failed) if count]
        if len(groups) == 1:
            others = (count for group, count in enumerate(counts[_PRESENT:]) if group != groups[0])
            here = self._failed.caller
            if any(others) or (here is not None and not self.counts(here, now)):
                return 0
        return sum(failed)


def _group(caller: Hashable) -> int:
    return crc32(caller if isinstance(caller, bytes) else str(caller).encode()) % _GROUPS


def _is_count(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= _LARGEST
