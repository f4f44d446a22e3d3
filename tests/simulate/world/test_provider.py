"""Laws of the simulated provider."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.provider import Provider
from tests.support.simulated import CALLERS, RecordingListener, a_request, parsed

STEADY = """
[provider]
first_token = "1s"
first_token_spread = 0
tokens_per_second = 50
"""


class Stage:
    """A provider, and calls of which one knows when they come."""

    def __init__(self, text: str) -> None:
        self.scenario = parsed(CALLERS + text)
        self.engine = Engine()
        self.provider = Provider(self.scenario, self.engine)
        self.listener = RecordingListener(self.engine)
        self.provider.listener = self.listener
        self.calls: list[Call] = []

    def call(
        self, at: float = 0.0, caller: int = 0, tokens: int = 100, seed: int = 7, leaves: float = 0.0
    ) -> None:
        call = Call(a_request(self.scenario, caller, seed, at, tokens), 0)
        self.calls.append(call)
        self.engine.at(at, self.provider.call, call)
        if leaves:
            self.engine.at(leaves, self.provider.cancel, call)

    def play(self) -> list[tuple[Any, ...]]:
        self.engine.run()
        assert self.provider.in_flight == 0
        return self.listener.events


def test_an_answer_takes_its_first_token_and_its_length() -> None:
    """A second until it begins, then fifty tokens a second."""
    stage = Stage(STEADY)
    stage.call(tokens=100)
    assert stage.play() == [(1.0, "first", 0), (3.0, "ended", 0)]


def test_whoever_leaves_is_not_answered_and_frees_the_slot_at_once() -> None:
    """Before the first token, after it, and in the queue."""
    stage = Stage(STEADY + 'slots = 1\nwhen_full = "queue"\nqueue = 2\n')
    stage.call(0.0, caller=1, leaves=0.5)
    stage.call(0.1, caller=2, leaves=0.2)
    stage.call(0.3, caller=3, leaves=2.0)
    stage.call(1.9, caller=4)
    assert stage.play() == [(1.5, "first", 3), (3.0, "first", 4), (5.0, "ended", 4)]


@pytest.mark.parametrize("status", ["429", "503", "529"])
def test_beyond_its_slots_it_says_no(status: str) -> None:
    """With the status it was given, and the word of when to come back."""
    stage = Stage(
        STEADY + f'slots = 1\nwhen_full = "{status}"\nfull_retry_after = "2s"\nerror_latency = "100ms"\n'
    )
    stage.call(0.0)
    stage.call(0.5, caller=1)
    assert stage.play()[0] == (0.6, int(status), 1, (b"retry-after", b"2"))


def test_beyond_its_slots_it_may_slow_down() -> None:
    """The second of two on one slot takes twice as long."""
    stage = Stage(STEADY + 'slots = 1\nwhen_full = "slow"\n')
    stage.call(0.0, caller=1)
    stage.call(0.0, caller=2)
    assert stage.play() == [(1.0, "first", 1), (2.0, "first", 2), (3.0, "ended", 1), (6.0, "ended", 2)]


def test_a_full_queue_says_no() -> None:
    """A call that finds it full gets 529."""
    stage = Stage(STEADY + 'slots = 1\nwhen_full = "queue"\nqueue = 1\nerror_latency = "0s"\n')
    for caller in range(3):
        stage.call(0.0, caller)
    heard = stage.play()
    assert heard[0] == (0.0, 529, 2)
    assert [what for _, what, caller, *_ in heard if caller == 1] == ["first", "ended"]


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        ('"503"', [(10.1, 503, 0)]),
        ('"429"\nretry_after = "7s"', [(10.1, 429, 0, (b"retry-after", b"7"))]),
        ('"503"\nretry_after = "true"', [(10.1, 503, 0, (b"retry-after", b"50"))]),
        ('"exhausted"', [(10.1, 429, 0, "exhausted")]),
        ('"refuse"', [(10.001, "broke: connect", 0)]),
        ('"hang"', []),
        ('"overloaded"', [(11.0, "overloaded", 0)]),
        ('"break"', [(11.0, "first", 0), (12.0, "broke: stream", 0)]),
        ('"none"\nslower = 3', [(13.0, "first", 0), (19.0, "ended", 0)]),
    ],
)
def test_each_fault_is_what_it_says(fault: str, heard: list[tuple[Any, ...]]) -> None:
    """While the phase lasts; before and after it all is well."""
    stage = Stage(STEADY + f'[[phases]]\nfrom = "10s"\nfor = "50s"\nfault = {fault}\n')
    stage.call(0.0, caller=9)
    stage.call(10.0, leaves=70.0)
    stage.call(60.0, caller=9)
    well = [(1.0, "first", 9), (3.0, "ended", 9), (61.0, "first", 9), (63.0, "ended", 9)]
    assert stage.play() == [*well[:2], *heard, *well[2:]]


def test_a_fault_hits_its_share_and_the_same_calls_every_time() -> None:
    """A third of three hundred, give or take; chance is the wish's own."""

    def hit() -> list[int]:
        stage = Stage(STEADY + '[[phases]]\nfrom = "0s"\nfor = "1m"\nfault = "500"\nshare = 0.33\n')
        for caller in range(300):
            stage.call(1.0, caller, seed=caller * 977)
        return [caller for _, what, caller in stage.play() if what == 500]

    assert 75 < len(hit()) < 125
    assert hit() == hit()


def test_an_outage_that_cuts_breaks_what_runs() -> None:
    """Before the head and after it."""
    stage = Stage(STEADY + '[[phases]]\nfrom = "10s"\nfor = "5s"\nfault = "503"\ncuts = true\n')
    stage.call(9.5, caller=1)
    stage.call(8.0, caller=2)
    assert stage.play() == [(9.0, "first", 2), (10.0, "broke: stream", 2), (10.0, "broke: head", 1)]


def test_a_brownout_takes_slots_away_and_gives_them_back() -> None:
    """Calls in service stay; queued ones are served when slots are free again."""
    stage = Stage(
        STEADY + 'slots = 2\nwhen_full = "queue"\nqueue = 9\n[[phases]]\nfrom = "5s"\nfor = "10s"\nslots = 1\n'
    )
    for caller in range(2):
        stage.call(6.0, caller, tokens=1000)
    heard = stage.play()
    assert [(at, caller) for at, what, caller in heard if what == "first"] == [(7.0, 0), (16.0, 1)]


def test_a_quota_admits_what_it_says_and_tells_the_true_wait() -> None:
    """At sixty a minute with a burst of ten seconds: ten at once, then one a second; the told wait is enough."""
    stage = Stage(STEADY + 'requests_per_minute = 60\nquota_burst = "10s"\nerror_latency = "0s"\n')
    for number in range(12):
        stage.call(0.0, caller=number)
    stage.call(1.0, caller=20)
    heard = stage.play()
    assert [(at, caller, *rest) for at, what, caller, *rest in heard if what == 429] == [
        (0.0, 10, (b"retry-after", b"1")),
        (0.0, 11, (b"retry-after", b"1")),
    ]


def test_keys_of_their_own_have_quotas_of_their_own() -> None:
    """Each caller has a quota of its own."""
    stage = Stage(STEADY + 'keys = "own"\nrequests_per_minute = 6\nquota_burst = "10s"\n')
    for caller in (1, 1, 2):
        stage.call(0.0, caller)
    assert sorted(caller for _, what, caller, *_ in stage.play() if what == 429) == [1]


def test_tokens_have_a_quota_too() -> None:
    """Prompt and answer count; what is larger than the bucket takes all of it."""
    stage = Stage(STEADY + 'prompt_tokens = 900\ntokens_per_minute = 6000\nquota_burst = "20s"\n')
    for caller in range(3):
        stage.call(0.0, caller, tokens=100)
    stage.call(30.0, caller=3, tokens=100_000)
    heard = stage.play()
    assert [(caller, *rest) for _, what, caller, *rest in heard if what == 429] == [(2, (b"retry-after", b"10"))]
    assert (31.0, "first", 3) in heard


def test_a_quota_may_be_told_in_headers() -> None:
    """Of each answer, a 200 before its first token: as OpenAI does, and what is left is the truth."""
    quota = 'requests_per_minute = 60\ntokens_per_minute = 6000\nprompt_tokens = 100\nerror_latency = "0s"\n'
    stage = Stage(STEADY + quota + 'quota_burst = "4s"\nquota_headers = true\n')
    for caller in range(3):
        stage.call(0.0, caller, tokens=100)
    events = stage.play()
    [head] = [dict(headers) for _, what, caller, *headers in events if (what, caller) == ("head", 0)]
    assert head == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"3",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"6000",
        b"x-ratelimit-remaining-tokens": b"200",
        b"x-ratelimit-reset-tokens": b"2s",
    }
    [refused] = [dict(headers) for _, what, caller, *headers in events if (what, caller) == (429, 2)]
    assert refused[b"x-ratelimit-remaining-tokens"] == b"0"
    assert refused[b"retry-after"] == b"2"
    assert [what for _, what, caller, *_ in events if caller == 0] == ["head", "first", "ended"]


def test_a_curve_of_slots_takes_them_away_and_gives_them_back() -> None:
    """In equal parts of the scenario's four minutes."""
    stage = Stage(STEADY + 'slots_curve = [1, 2]\nwhen_full = "503"\nerror_latency = "0s"\n')
    for at in (10.0, 130.0):
        for caller in range(3):
            stage.call(at, caller)
    assert [at for at, what, *_ in stage.play() if what == 503] == [10.0, 10.0, 130.0]


def test_a_call_that_is_sent_again_is_another_event_of_chance() -> None:
    """Half of the sends fail, whichever call it is; what an earlier send had scheduled concerns no later one."""
    stage = Stage(STEADY + '[[phases]]\nfrom = "0s"\nfor = "1h"\nfault = "overloaded"\nshare = 0.5\n')
    stage.call(0.0, tokens=1)
    [call] = stage.calls
    for at in range(1, 200):
        # Half of them are cancelled before their first token.
        stage.engine.at(2.0 * at, stage.provider.call, call)
        if at % 2:
            stage.engine.at(2.0 * at + 0.5, stage.provider.cancel, call)
    events = stage.play()
    assert len([what for _, what, _ in events if what == "ended"]) == pytest.approx(50, abs=20)
    assert len([what for _, what, _ in events if what != "ended"]) == 100
    assert call.sends == 200
