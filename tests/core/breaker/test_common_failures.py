"""Failures that several replicas count together, with the sums of a store that the tests add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.common_failures import COUNTS, CommonFailures

NEVER = float("-inf")
# Of different groups.
A, B, C = b"a", b"c", b"d"


def in_contact(threshold: int = 5, share: float = 0.0) -> CommonFailures:
    failures = CommonFailures(10.0, threshold, share)
    failures.alone = False
    return failures


def exchange(*replicas: CommonFailures, now: float = 0.0, sums: list[int] | None = None) -> list[int]:
    """Add up what replicas have counted, and tell all of them."""
    sums = sums or [0] * COUNTS
    for each in replicas:
        sums = [a + b for a, b in zip(sums, each.take() or [0] * COUNTS, strict=True)]
    for each in replicas:
        assert each.told(sums, each.epoch, now)
    return sums


def test_failures_of_others_count() -> None:
    """What others have counted is added; what is not sent yet counts, too."""
    one, two = in_contact(), in_contact()
    for _ in range(2):
        one.add(0.0, NEVER, None)
        two.add(0.0, NEVER, None)
    assert one.total(0.0) == 2
    exchange(one, two)
    assert one.total(0.0) == two.total(0.0) == 4
    assert not one.enough(0.0)
    one.add(0.1, NEVER, None)
    assert one.enough(0.1)
    assert one.described(0.1) == "5 failures in 10 s over all replicas"


def test_sums_are_used_for_a_while_only() -> None:
    """Sums that are older than an eighth of the window are not used."""
    one, two = in_contact(), in_contact()
    two.add(0.0, NEVER, None)
    exchange(one, two)
    assert one.total(1.2) == 1
    assert one.total(1.3) == 0


def test_alone_only_own_failures_count() -> None:
    """While the store is away nothing of what others counted is used."""
    one, two = in_contact(), in_contact()
    two.add(0.0, NEVER, None)
    exchange(one, two)
    one.alone = True
    assert one.total(0.0) == 0


def test_one_callers_failures_on_several_replicas() -> None:
    """Caller-related failures of one caller count only if no other caller is present on any replica."""
    one, two, three = in_contact(), in_contact(), in_contact()
    for each in (one, two):
        for _ in range(3):
            each.add(0.0, NEVER, A)
    sums = exchange(one, two, three)
    assert one.total(0.0) == 5
    three.succeeded(B, 0.0)
    exchange(one, two, three, sums=sums)
    assert one.total(0.0) == two.total(0.0) == three.total(0.0) == 0


def test_two_callers_failures_count() -> None:
    """Those of two callers count, also while another one is present."""
    one, two = in_contact(), in_contact()
    one.succeeded(C, 0.0)
    for each, caller in ((one, A), (two, B)):
        for _ in range(3):
            each.add(0.0, NEVER, caller)
    exchange(one, two)
    assert one.total(0.0) == 5


def test_a_callers_failures_wait_for_the_sums() -> None:
    """Before sums are known, what may be a caller's doing does not count; the provider's failures do."""
    one = in_contact()
    for _ in range(5):
        one.add(0.0, NEVER, A)
    assert not one.enough(0.0)
    for _ in range(5):
        one.add(0.0, NEVER, None)
    assert one.enough(0.0)


def test_a_share_is_that_of_all() -> None:
    """With a share, nothing is enough before sums are known; then the calls of all count."""
    one, two = in_contact(share=0.5), in_contact(share=0.5)
    for _ in range(6):
        one.add(0.0, NEVER, None)
    assert not one.enough(0.0)
    for _ in range(10):
        two.add_success(0.0)
    exchange(one, two)
    assert one.share(0.0) == 6 / 16
    assert one.described(0.0) == "6 of 16 calls failed in 10 s over all replicas"
    assert not one.enough(0.0)


def test_answers_in_progress_keep_their_callers_present() -> None:
    """A caller whose answer is in progress is present in what is sent."""
    one = in_contact()
    one.answer_continues(A)
    assert one.take() is None
    one.add(0.0, NEVER, None)
    counts = one.take()
    assert counts is not None
    assert sum(counts) == 2


def test_a_new_window_forgets_what_was_counted() -> None:
    """After a transition neither what is not sent counts, nor sums of the window before."""
    one = in_contact()
    one.add(0.0, NEVER, None)
    epoch = one.epoch
    counts = one.take()
    one.add(0.0, NEVER, None)
    one.clear(closed=True)
    assert not one.told(counts, epoch, 0.0)
    assert one.take() is None
    assert not one.urgent
    assert one.total(0.0) == 0


@pytest.mark.parametrize("lie", [None, 0, [], [1] * (COUNTS - 1), ["1"] * COUNTS, [-1] * COUNTS, [1e99] * COUNTS])
def test_lies_are_not_counted(lie: object) -> None:
    """What is no list of sums leaves what was counted here."""
    one = in_contact()
    one.add(0.0, NEVER, None)
    one.take()
    assert not one.told(lie, one.epoch, 0.0)
    assert one.total(0.0) == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, A, B])), max_size=30))
def test_order_does_not_matter(said: list[tuple[int, bytes | None]]) -> None:
    """Wherever calls were judged, all replicas come to the same total; the provider's failures are never lost."""
    found = [in_contact(threshold=100, share=0.5) for _ in range(3)]
    for replica, caller in said:
        found[replica].add(0.0, NEVER, caller)
    exchange(*found)
    assert len({each.total(0.0) for each in found}) == 1
    assert found[0].total(0.0) >= sum(caller is None for _, caller in said)
