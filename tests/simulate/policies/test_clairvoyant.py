"""The bound: nothing is wasted or rejected, and no policy of a real bridge answers more."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate.plan import SHIPPED
from tests.support.simulated import CALLERS, KEPT_APART, outcome_of, play

NONE, CLAIRVOYANT = "none", "clairvoyant"


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_a_bound_in_every_shipped_scenario(name: str) -> None:
    """No protection does not answer more, neither in all nor by caller; and no call fails."""
    without, bound = outcome_of(name, NONE), outcome_of(name, CLAIRVOYANT)
    assert bound.refused == bound.gave_up == 0
    if name != "slow":  # where callers leave the provider's own queue
        assert bound.wasted == 0
    assert bound.share >= without.share
    assert bound.share_by_caller >= without.share_by_caller


@pytest.mark.parametrize("name", KEPT_APART)
def test_it_is_a_bound_in_the_scenarios_that_are_kept_apart(name: str) -> None:
    """But for a hundredth: with all slots in use, how many answers fit depends on their lengths."""
    without, bound = outcome_of(name, NONE), outcome_of(name, CLAIRVOYANT)
    assert bound.wasted == bound.refused == bound.gave_up == 0
    assert bound.share >= without.share - 0.01
    assert bound.share_by_caller >= without.share_by_caller


@pytest.mark.parametrize("full", ["529", "slow", "queue"])
@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize("fault", ["429", "500", "503", "exhausted", "refuse", "hang", "overloaded", "break"])
def test_it_is_a_bound_with_every_fault(fault: str, share: float, full: str) -> None:
    """Whatever happens beyond the slots, and whether a fault is for all calls or left to chance."""
    text = (
        CALLERS.replace("4m", "90s")
        + f'[provider]\nslots = 12\nwhen_full = "{full}"\nqueue = 9\ntokens_per_minute = 600000\n'
        + f'[[phases]]\nfrom = "20s"\nfor = "30s"\nfault = "{fault}"\nshare = {share}\ncuts = true\n'
    )
    without, bound = play(text, NONE), play(text, CLAIRVOYANT)
    if full != "queue":  # which callers leave
        assert bound.wasted == 0
    assert bound.served >= without.served


def test_chance_costs_it_nothing() -> None:
    """A third of all calls fails at random: it passes those attempts over."""
    outcome = play(CALLERS + '[[phases]]\nfrom = "0s"\nfor = "5m"\nfault = "503"\nshare = 0.33\n', CLAIRVOYANT)
    assert outcome.share == 1.0
    assert outcome.calls == outcome.wanted


def test_a_held_call_is_sent_when_the_outage_ends() -> None:
    """Not a second later: at its end all held calls go up at once."""
    outage = '[[phases]]\nfrom = "100s"\nfor = "20s"\nfault = "503"\n'
    outcome = play(CALLERS + outage, CLAIRVOYANT)
    assert outcome.share == 1.0
    assert outcome.wait_p99 is not None
    assert 15 < outcome.wait_p99 < 21
    assert outcome.recovery == 0.0


def test_no_answer_is_sent_that_a_cut_would_break() -> None:
    """Where all connections break once a minute, answers of half a minute wait for the next one."""
    cut = (
        "[provider]\ntokens_per_second = 10\nanswer_tokens = 300\nanswer_tokens_spread = 0\n"
        '[[phases]]\nfrom = "0s"\nfor = "1s"\nevery = "1m"\ncuts = true\n'
    )
    outcome = play(CALLERS + cut, CLAIRVOYANT)
    assert outcome.wasted == 0
    assert outcome.share > 0.95
    assert play(CALLERS + cut, NONE).share < 0.65


def test_callers_have_turns_and_the_oldest_comes_first() -> None:
    """A caller with ten times the demand does not get more than the others, which get what they want."""
    text = (
        'duration = "2m"\n[[callers]]\ncount = 9\nrequests_per_minute = 6\n'
        "[[callers]]\ncount = 1\nrequests_per_minute = 600\n[provider]\nslots = 10\n"
    )
    outcome = play(text, CLAIRVOYANT)
    assert outcome.fairness > 0.99
    assert outcome.share_by_caller > 0.9


@pytest.mark.parametrize("keys", ["own", "central"])
def test_a_quota_is_used_up_and_never_exceeded(keys: str) -> None:
    """Of requests and of tokens, for one key and for each caller's own."""
    quota = f'[provider]\nkeys = "{keys}"\nrequests_per_minute = 100\ntokens_per_minute = 150000\n'
    outcome = play(CALLERS + quota, CLAIRVOYANT)
    without = play(CALLERS + quota, NONE)
    assert outcome.wasted == 0
    assert outcome.served >= without.served
    if keys == "central":
        assert outcome.share < 0.5
        assert outcome.served > 0.95 * 60 * 4
