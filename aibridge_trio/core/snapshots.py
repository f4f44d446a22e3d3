"""What a machine saves of itself, and takes over after a restart: JSON types, in which times are ages.

A time is saved as the seconds that have passed since it; of one that lies ahead they are negative. An infinite
value is saved as None, and left as it is in a new machine. The clock of the new process has another beginning, and
more time has passed: times are restored relative to `at`, the present less the time since the snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeGuard

Saved = dict[str, Any]

# Larger numbers are no machine's: as seconds, 30 million years. JSON has numbers for which no float is large
# enough.
_LARGEST = 1e15


def number(saved: Saved, name: str) -> float:
    """Return a number of a snapshot, not negative; raises ValueError if it has none, or too large a one."""
    value = saved.get(name)
    if not _is_number(value) or value < 0:
        raise ValueError(f"{name} is no number")
    return value


def save(machine: object, numbers: Iterable[str], times: Iterable[str], now: float) -> Saved:
    """Return these attributes of a machine."""
    saved = {name.lstrip("_"): _finite(getattr(machine, name)) for name in numbers}
    return saved | {name.lstrip("_"): _finite(now - getattr(machine, name)) for name in times}


def restore(machine: object, saved: object, numbers: Iterable[str], times: Iterable[str], at: float) -> Saved:
    """Set these attributes of a new machine as they were saved; return what was saved.

    Raises ValueError for what was not saved so. An attribute keeps its type: a switch, a count or an amount.
    """
    if not isinstance(saved, dict):
        raise ValueError("no snapshot")  # noqa: TRY004 - of a file
    found: dict[str, Any] = {}
    for name in numbers:
        value = saved.get(name.lstrip("_"))
        kind = type(getattr(machine, name))
        if value is None and kind is float:
            continue
        if kind is bool:
            if not isinstance(value, bool):
                raise ValueError(f"{name} is no switch")
            found[name] = value
        else:
            found[name] = kind(number(saved, name.lstrip("_")))
    for name in times:
        age = saved.get(name.lstrip("_"))
        if age is None:
            continue
        if not _is_number(age):
            raise ValueError(f"{name} is no age")
        found[name] = at - age
    for name, value in found.items():
        setattr(machine, name, value)
    return saved


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
