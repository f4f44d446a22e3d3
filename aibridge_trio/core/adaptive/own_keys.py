"""The quotas of callers' own keys at one provider.

A key is remembered once a quota has refused it, or is nearly spent; those that were used the longest ago are
forgotten first. So callers that make up keys take no memory, and a quiet day costs one look into a table.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

from aibridge_trio.core.adaptive.quotas import Quotas

# Keys that are remembered; about 2 kB each.
_KEYS = 1_000


class OwnKeys:
    """The quotas of each key that is remembered."""

    def __init__(self, capacity: int = _KEYS) -> None:
        self._capacity = capacity
        self._quotas: OrderedDict[Hashable, Quotas] = OrderedDict()
        self.known = False  # whether any key is remembered

    def __len__(self) -> int:
        return len(self._quotas)

    @property
    def paced(self) -> int:
        """How many keys have a pace."""
        return sum(each.pace < math.inf for each in self._quotas.values())

    def find(self, key: Hashable) -> Quotas | None:
        """Return a key's quotas, if it is remembered."""
        return self._quotas.get(key)

    def remember(self, key: Hashable) -> Quotas:
        """Return a key's quotas, new ones if it is not remembered."""
        self.known = True
        quotas = self._quotas.get(key)
        if quotas is None:
            quotas = self._quotas[key] = Quotas()
            if len(self._quotas) > self._capacity:
                self._quotas.popitem(last=False)
        else:
            self._quotas.move_to_end(key)
        return quotas

    def __repr__(self) -> str:
        return f"<OwnKeys {len(self)}>"
