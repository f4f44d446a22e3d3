"""The governors of callers' own keys at one provider.

A key is remembered while it has requests at the provider. Of the others those that were used the longest ago are
forgotten first; last of all those that have been refused, so that many new keys do not make a quota forgotten.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import islice

from aibridge_trio.core.adaptive.governor import Governor

# Keys that are remembered; about 3 kB each. When one more comes, so many of the oldest are looked at.
_KEYS, _LOOKED_AT = 1_000, 4


class OwnKeys:
    """A governor for each key. `chance` returns random numbers, 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._governors: OrderedDict[Hashable, Governor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._governors)

    @property
    def paced(self) -> int:
        """How many keys have a pace."""
        return sum(each.quotas.pace < math.inf for each in self._governors.values())

    def find(self, key: Hashable) -> Governor | None:
        """Return a key's governor, if it is remembered."""
        return self._governors.get(key)

    def use(self, key: Hashable) -> Governor:
        """Return a key's governor, a new one if it is not remembered."""
        governor = self._governors.get(key)
        if governor is None:
            self._make_space()
            governor = self._governors[key] = Governor(self._chance)
        else:
            self._governors.move_to_end(key)
        return governor

    def __repr__(self) -> str:
        return f"<OwnKeys {len(self)}>"

    def _make_space(self) -> None:
        """Forget keys for a new one, in bounded steps."""
        governors = self._governors
        surplus = len(governors) + 1 - _KEYS
        if surplus <= 0:
            return
        oldest = list(islice(governors, _LOOKED_AT))
        idle = [key for key in oldest if not governors[key].level]
        unknown = [key for key in idle if not governors[key].active]
        forgotten = (unknown or idle)[:surplus]
        for key in oldest:
            if key in forgotten:
                del governors[key]
            else:
                governors.move_to_end(key)
