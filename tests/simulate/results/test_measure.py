"""The measurements of a run."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate.results.measure import Measure
from tests.support.simulated import CALLERS, parsed


def test_the_error_of_a_retry_after_is_its_wait_minus_the_true_one() -> None:
    """Told 30 s, admitted after 4: 26 too long; told 1 s, admitted after 3: 2 too early."""
    measure = Measure(parsed(CALLERS))
    measure.refused([(b"retry-after", b"30")], 10.0, "circuit")
    assert measure.awaits("circuit")
    measure.opened("circuit", 14.0)
    assert not measure.awaits("circuit")
    measure.refused([(b"retry-after-ms", b"1000")], 20.0, "circuit")
    measure.opened("capacity", 21.0)
    measure.opened("circuit", 23.0)
    measure.refused([(b"retry-after-ms", b"500")], 30.0, None, 0.4)
    measure.refused([], 30.0, "circuit")
    outcome = measure.outcome("x")
    assert (outcome.told_p5, outcome.told_p50, outcome.told_p95) == pytest.approx((-2.0, 0.1, 26.0))
    assert (outcome.told_share_p5, outcome.told_share_p95) == pytest.approx((-2 / 3, 6.5))
    assert (outcome.refused, outcome.unsaid) == (4, 1)
