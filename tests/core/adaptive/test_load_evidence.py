"""Whether pushbacks depend on load."""

from __future__ import annotations

from random import Random

from aibridge_trio.core.adaptive.load_evidence import LoadEvidence


def test_one_pushback_above_what_was_accepted_sets_a_bound() -> None:
    """Nothing speaks against the bound."""
    evidence = LoadEvidence()
    for level in range(1, 11):
        evidence.accepted(level, level / 10, level / 10)
    assert evidence.pushed_back(11, 1.1, 1.2) == 10


def test_one_pushback_at_an_accepted_level_may_be_chance_and_three_are_not() -> None:
    """The capacity must have changed: assuming so costs more than one pushback shows."""
    evidence = LoadEvidence()
    for number in range(20):
        evidence.accepted(10, number / 10, number / 10)
    assert evidence.pushed_back(8, 2.0, 2.1) is None
    assert evidence.pushed_back(9, 2.2, 2.3) == 7


def test_the_background_share_is_learned_and_then_explains_pushbacks() -> None:
    """A third of all starts fails at any level: no bound."""
    evidence, random = LoadEvidence(), Random(5)
    bounds = 0
    for number in range(600):
        now, level = number / 10, random.randint(5, 30)
        if random.random() < 1 / 3:
            bounds += evidence.pushed_back(level, now, now + 0.1) is not None and number > 60
        else:
            evidence.accepted(level, now, now + 0.1)
    assert 0.2 < evidence.background < 0.5
    assert bounds < 10


def test_only_a_run_that_is_too_long_for_chance_shows_an_outage() -> None:
    """After accepted starts it takes four."""
    evidence = LoadEvidence()
    evidence.accepted(3, 0.0, 0.5)
    shown = []
    for number in range(4):
        evidence.pushed_back(4, 1 + number, 1.1 + number)
        shown.append(evidence.shows_outage())
    assert shown == [False, False, False, True]
    evidence.forget()
    assert not evidence.shows_outage()
