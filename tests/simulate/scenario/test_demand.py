"""The requests of a scenario."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.demand import requests
from tests.support.simulated import CALLERS, parsed


def test_demand_is_what_was_asked_for() -> None:
    """The rate on average, the crowd's rate during a crowd; and no caller outside."""
    given = parsed(CALLERS + '[[crowds]]\nfrom = "1m"\nfor = "1m"\ntimes = 5\n')
    found = requests(given, 3)
    assert [request.born for request in found] == sorted(request.born for request in found)
    by_minute = [sum(60 * minute <= request.born < 60 * (minute + 1) for request in found) for minute in range(4)]
    assert 190 < by_minute[0] < 290
    assert 1050 < by_minute[1] < 1350
    assert {request.caller for request in found} == set(range(20))


def test_a_group_has_prompts_and_answers_of_its_own() -> None:
    """In place of the provider's; with a spread they differ."""
    own = "prompt_tokens = 100000\nprompt_tokens_spread = 0.3\nanswer_tokens = 50\nanswer_tokens_spread = 0\n"
    given = parsed(
        CALLERS + own + "[[callers]]\ncount = 5\nrequests_per_minute = 12\n[provider]\nprompt_tokens = 7\n"
    )
    large = [each for each in requests(given, 1) if each.group is given.groups[0]]
    prompts = sorted(each.prompt for each in large)
    assert 90_000 < prompts[len(prompts) // 2] < 111_000
    assert prompts[0] < 70_000
    assert dict.fromkeys(each.tokens for each in large) == {50: None}
    small = [each for each in requests(given, 1) if each.group is given.groups[1]]
    assert dict.fromkeys(each.prompt for each in small) == {7: None}


def test_demand_follows_its_curve() -> None:
    """In equal parts of the duration, as times of the usual rate."""
    given = parsed(CALLERS.replace("count = 20", "count = 200") + "curve = [0, 1, 3, 0.5]\n")
    by_minute = [0] * 4
    for each in requests(given, 1):
        by_minute[int(each.born / 60)] += 1
    usual = 200 * 12
    assert by_minute[0] == 0
    assert [round(many / usual, 1) for many in by_minute[1:]] == [1.0, 3.0, 0.5]
