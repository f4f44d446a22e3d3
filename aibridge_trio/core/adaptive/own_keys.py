"""The quotas of callers' own keys at one provider.

A key is remembered once a quota has refused it, or is nearly spent; those that were used the longest ago are
forgotten first. So callers that make up keys take no memory, and a quiet day costs one look into a table.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from aibridge_trio.core.adaptive.entry import Entry, Pushback
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.quota import Left

# Keys that are remembered; about 2 kB each.
_KEYS = 1_000


class OwnKeys:
    """The quotas of each key that is remembered.

    `on_told` is called with a key of which headers have told something, `on_refused` with one that is held back.
    """

    def __init__(self, capacity: int = _KEYS) -> None:
        self._capacity = capacity
        self._quotas: OrderedDict[Hashable, Quotas] = OrderedDict()
        self.known = False  # whether any key is remembered
        self.on_told: Callable[[Hashable, Quotas, float], None] = _ignore
        self.on_refused: Callable[[Hashable, Quotas, float], None] = _ignore

    def __len__(self) -> int:
        return len(self._quotas)

    @property
    def paced(self) -> int:
        """How many keys have a pace."""
        return sum(each.pace < math.inf for each in self._quotas.values())

    def find(self, key: Hashable) -> Quotas | None:
        """Return a key's quotas, if it is remembered."""
        return self._quotas.get(key)

    def remember(self, key: Hashable, new: Quotas | None = None) -> Quotas:
        """Return a key's quotas, `new` ones if it is not remembered."""
        self.known = True
        quotas = self._quotas.get(key)
        if quotas is None:
            quotas = self._quotas[key] = new or Quotas()
            if len(self._quotas) > self._capacity:
                self._quotas.popitem(last=False)
        else:
            self._quotas.move_to_end(key)
        return quotas

    def told(self, key: Hashable, quotas: Iterable[Left], now: float) -> None:
        """Take what an answer tells of a key's quotas."""
        found = self.remember(key)
        found.told(quotas, now)
        self.on_told(key, found, now)

    def refused(self, entry: Entry, pushback: Pushback, now: float, chance: float) -> None:
        """Learn that a key's quota has refused a request; `chance` is a random number, 0 to 1."""
        found = self.remember(entry.key)
        found.refused(pushback, entry.size, entry.sent_at, now, chance)
        if pushback.retry_after:
            self.on_refused(entry.key, found, now)

    def __repr__(self) -> str:
        return f"<OwnKeys {len(self)}>"


def _ignore(_key: Hashable, _quotas: Quotas, _now: float) -> None:
    pass
