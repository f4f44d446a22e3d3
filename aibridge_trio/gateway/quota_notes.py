"""What headers told of a provider's quotas, as replicas write it in notes: JSON types, checked when read."""

from __future__ import annotations

import math
from typing import Any

from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.quota import Left

# What headers tell counts for so many seconds.
KEPT = 60.0
# A store may say anything: so many quotas of one credential, numbers up to this, names up to so many characters.
_MOST, _LARGEST, _LONGEST_NAME = 4, 1e12, 32


def written(quotas: Quotas, now: float) -> list[list[Any]]:
    """Return name, limit, what remains, and how many seconds ago that was learned, of each quota."""
    return [
        [left.name, min(left.limit, _LARGEST), _bounded(left.remaining), round(now - at, 3)]
        for left, at in quotas.words(now)
    ]


def take(found: object, quotas: Quotas, now: float, age: float) -> bool:
    """Let quotas have what another replica wrote `age` seconds ago; return whether there was anything of late.

    Raises ValueError for what is no such note.
    """
    if not isinstance(found, list) or len(found) > _MOST:
        raise ValueError("no quotas")
    words = [_read(each) for each in found]
    recent = [(left, now - age - ago) for left, ago in words if age + ago < KEPT]
    for left, at in recent:
        quotas.told_elsewhere(left, at)
    return bool(recent)


def _read(found: object) -> tuple[Left, float]:
    if not isinstance(found, list) or len(found) != 4 or not isinstance(found[0], str):  # noqa: PLR2004 - as written
        raise ValueError("no quota")
    numbers = [each for each in found[1:] if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != len(found) - 1 or not all(-_LARGEST <= each <= _LARGEST for each in numbers):
        raise ValueError("no quota")
    limit, remaining, ago = numbers
    if limit <= 0 or ago < 0:
        raise ValueError("no quota")
    return Left(found[0][:_LONGEST_NAME], max(1, int(limit)), math.floor(remaining), 0.0), float(ago)


def _bounded(number: float) -> float:
    return round(max(-_LARGEST, min(number, _LARGEST)), 1)
