"""What a governor shows."""

from __future__ import annotations

import math

from aibridge_trio.core.adaptive.governor import Governor


def test_a_new_governor_shows_no_limits() -> None:
    """Nothing is learned yet."""
    found = Governor(lambda: 0.5).statistics(0.0)
    assert (found.active, found.bound, found.window, found.pace) == (False, math.inf, math.inf, math.inf)
    assert (found.outage, found.resumes_in, found.cause) == (False, 0.0, None)
