"""Chance without a sequence: the number for a wish's n-th try is the same whatever else has happened.

A sequence would give another policy's tries other numbers as soon as one policy tries more often, and then
policies would be compared under different luck. The mixing is splitmix64's (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

import math
from statistics import NormalDist

_MASK = (1 << 64) - 1
_EVEN = NormalDist().inv_cdf
# So that no chance is ever 0, whose normal deviate is infinite.
_LEAST = 2.0**-53

# What chance decides of one try.
FAULT, FIRST_TOKEN, BACKOFF, JITTER = range(4)


def chance(luck: int, number: int, concern: int) -> float:
    """Return a number in (0, 1) for a wish's `luck`, the number of its try, and what is decided by it."""
    x = (luck + number * 0x9E3779B97F4A7C15 + concern * 0xD1342543DE82EF95) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((x ^ (x >> 31)) >> 11) * 2.0**-53 or _LEAST


def lognormal(median: float, spread: float, at: float) -> float:
    """Return the value below which a share `at` of a lognormal distribution lies; `spread` is its log's sigma."""
    return median * math.exp(spread * _EVEN(at)) if spread else median
