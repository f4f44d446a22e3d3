"""Other programs keep their providers apart, too."""

from __future__ import annotations

import pytest

from tests.support.simulated import play, shipped

TWO = """
duration = "4m"
[[callers]]
count = 20
requests_per_minute = 12
patience = "30s"
[[callers]]
count = 20
requests_per_minute = 12
patience = "30s"
provider = "ill"
[providers.ill]
{ill}
[[phases]]
from = "1m"
for = "1m"
fault = "503"
cuts = true
provider = "ill"
"""


@pytest.mark.parametrize("policy", ["go-aibridge", "litellm"])
def test_the_outage_of_one_provider_closes_nothing_at_the_other(policy: str) -> None:
    """Its callers get all answers that they would get alone: those of the other lose a quarter at most."""
    outcome = play(TWO.format(ill=""), policy)
    assert outcome.trips > 0
    assert outcome.refused > 100
    lost = 1 - outcome.share
    assert 0.02 < lost < 0.25
    # The same scenario with one provider only for all: twice as much is lost, or more.
    shared = TWO.replace('provider = "ill"\n', "").replace("[providers.ill]\n{ill}\n", "")
    assert 1 - play(shared, policy).share > 1.8 * lost


@pytest.mark.parametrize("policy", ["go-aibridge", "litellm", "none"])
def test_what_is_held_is_given_back(policy: str) -> None:
    """With slots, queues and states of both added up; the helper looks for what is left over."""
    outcome = play(shipped("two-providers"), policy)
    assert outcome.served > 0
    assert len(outcome.curves.state) > 0
