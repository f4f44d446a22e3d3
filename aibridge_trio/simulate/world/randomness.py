"""Random numbers without a sequence: the number for one attempt of a request doesn't depend on other attempts.

With a sequence, a policy that retries more often would shift the numbers of all later attempts, and policies would
be compared on different random events. The mixing function is splitmix64's (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

import math
from statistics import NormalDist

_MASK = (1 << 64) - 1
_NORMAL_QUANTILE = NormalDist().inv_cdf
# Never 0: the normal quantile of 0 is infinite.
_LEAST = 2.0**-53

# The random decisions about one attempt.
FAULT, FIRST_TOKEN, BACKOFF, JITTER, REPLICA = range(5)


def uniform(seed: int, attempt: int, purpose: int) -> float:
    """Return a number in (0, 1) for a request's `seed`, the attempt's index, and the decision it is for."""
    x = (seed + attempt * 0x9E3779B97F4A7C15 + purpose * 0xD1342543DE82EF95) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((x ^ (x >> 31)) >> 11) * 2.0**-53 or _LEAST


def lognormal(median: float, spread: float, quantile: float) -> float:
    """Return a quantile (0 to 1) of a lognormal distribution; `spread` is its logarithm's standard deviation."""
    return median * math.exp(spread * _NORMAL_QUANTILE(quantile)) if spread else median
