from __future__ import annotations

from aibridge_trio.core.breaker.policy import BreakerPolicy


def test_defaults() -> None:
    """Five failures in 10 s open for 30 s, and three probes decide."""
    assert BreakerPolicy() == BreakerPolicy(threshold=5, window=10.0, cooldown=30.0, max_probes=3)
