"""The governors of callers' own keys."""

from __future__ import annotations

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.own_keys import OwnKeys

_429 = Pushback("429", quota=True, retry_after=200.0)


def refuse(keys: OwnKeys, key: object) -> None:
    """Let a quota refuse a request of a key."""
    governor = keys.use(key)
    level = governor.sent(0.0)
    governor.ended(answering=False)
    governor.quota_refused(_429, level, 0.0, 0.1)


def test_keys_are_bounded_and_those_that_were_refused_are_kept_longest() -> None:
    """A caller that makes up a key for each request does not make the limiter forget another's quota."""
    keys = OwnKeys(lambda: 0.5)
    refuse(keys, "limited")
    for number in range(5000):
        keys.use(number).sent(1.0)
        keys.use(number).ended(answering=False)
    assert len(keys) == 1000
    assert keys.find("limited")
    for number in range(5000):
        refuse(keys, f"also {number}")
    assert len(keys) == 1000


def test_of_keys_without_a_refusal_the_one_that_was_used_the_longest_ago_is_forgotten() -> None:
    """By last use, not by first."""
    keys = OwnKeys(lambda: 0.5)
    for number in range(1000):
        keys.use(number)
    keys.use(0)
    keys.use("new")
    assert keys.find(0)
    assert keys.find(1) is None
    assert keys.find(2)


def test_keys_with_requests_at_the_provider_are_remembered() -> None:
    """Five thousand at once: each counts its own, and afterwards new ones take their places."""
    keys = OwnKeys(lambda: 0.5)
    governors = []
    for number in range(5000):
        governors.append(keys.use(number))
        governors[-1].sent(0.0)
    for number in range(3000):
        keys.use(f"idle {number}")
    assert [keys.find(number) for number in range(5000)] == governors
    for governor in governors:
        governor.ended(answering=False)
    for number in range(3000):
        keys.use(f"new {number}")
    assert len(keys) == 1000
