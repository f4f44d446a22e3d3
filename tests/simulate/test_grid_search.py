"""Suggested settings."""

from __future__ import annotations

from itertools import pairwise

from aibridge_trio.simulate import grid_search
from tests.support.simulated import CALLERS, parsed


def test_the_best_is_first_and_what_was_told_stays() -> None:
    """A suggestion keeps the settings that the operator gave."""
    given_ = [parsed(CALLERS.replace("4m", "90s") + "[provider]\nslots = 20\n")]
    found = grid_search.suggested(given_, {"queue_size": 7}, 1)
    assert {point.settings["queue_size"] for point in found} == {7}
    assert all(before.rank <= after.rank for before, after in pairwise(found))
    assert found[0].settings["circuit_breaker"] is True
    # A queue without anything to wait for is a mistake in the program.
    assert all(
        point.settings["max_concurrency"] or point.settings["max_concurrency_per_caller"] for point in found
    )


def test_a_suggestion_says_whose_slots_it_counts() -> None:
    """The provider's, or where its quota ends, or for want of both; of several scenarios the fewest."""
    slots, busy = parsed(CALLERS + "[provider]\nslots = 40\n"), parsed(CALLERS)
    quota = parsed(CALLERS + "[provider]\nrequests_per_minute = 60\n")
    said = "max_concurrency counts slots of the bridge. Tried are none and 50%, 80%, 100% of 40: "
    assert grid_search.basis([slots]) == f"{said}the provider's slots."
    assert grid_search.basis([busy]).endswith(
        ": twice what is in flight if all goes well, for want of slots and quota."
    )
    curve = parsed(CALLERS + "[provider]\nslots_curve = [30, 70, 20]\n")
    assert grid_search.basis([curve]) == f"{said}the provider's slots.".replace("40:", "70:")
    assert "what is in flight at its quota of 60 requests a minute in test, the fewest." in grid_search.basis(
        [slots, quota]
    )


def test_answers_of_a_group_count_as_often_as_it_asks() -> None:
    """Twenty callers with answers of 300 tokens and ten with answers of 3,000: a mean of 1,200 over requests."""
    steady = "[provider]\nfirst_token_spread = 0\nanswer_tokens_spread = 0\nrequests_per_minute = 600\n"
    longer = "[[callers]]\ncount = 10\nrequests_per_minute = 12\nanswer_tokens = 3000\n"
    assert "100% of 206: what is in flight at its quota" in grid_search.basis([parsed(CALLERS + longer + steady)])
