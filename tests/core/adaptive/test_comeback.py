"""When a rejected request should come back."""

from __future__ import annotations

import pytest

from aibridge_trio.core.adaptive.comeback import Comeback


def test_waits_are_computed_from_the_rate_and_spaced() -> None:
    """Twenty ahead at two a second are ten seconds; the next comes half a second later."""
    comeback = Comeback()
    for number in range(20):
        comeback.began(number / 2)
    waits = [comeback.wait(10.0, 0.0, 20) for _ in range(3)]
    assert waits == pytest.approx([10.0, 10.5, 11.0])


def test_a_wait_is_at_least_a_second_and_at_most_a_minute() -> None:
    """An estimate says little beyond."""
    comeback = Comeback()
    assert comeback.wait(0.0, 300.0, 1) == 60.0
    busy = Comeback()
    for number in range(1000):
        busy.began(number / 100)
    assert busy.wait(10.0, 0.0, 1) == 1.0


def test_an_outage_with_many_rejects_leaves_no_debt() -> None:
    """Spacing thousands of rejects by a second must not delay those of the next hours."""
    comeback = Comeback()
    for number in range(10_000):
        assert 1.0 <= comeback.wait(number / 20, 3.0, 10) <= 60.0
    for number in range(1000):
        comeback.began(560.0 + number / 100)
    assert comeback.wait(570.0, 0.0, 100) < 5.0


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    """Or since the first answer, if that is shorter."""
    comeback = Comeback()
    for number in range(100):
        comeback.began(number / 10)
    assert comeback.rate(9.9) == pytest.approx(10.0, rel=0.02)
    assert comeback.rate(15.0) == pytest.approx(5.0)
    assert comeback.rate(30.0) == 0.0


def test_turns_are_counted_since_requests_are_held() -> None:
    """Before, their rate was that of the requests: one a second, where the provider answers four."""
    comeback = Comeback()
    for number in range(30):
        comeback.began(float(number))
    comeback.held(30.0)
    assert comeback.wait(30.0, 0.0, 4) == pytest.approx(4.0)
    for number in range(40):
        comeback.began(30.0 + number / 4)
    assert comeback.wait(40.0, 0.0, 40) == pytest.approx(10.0)


def test_who_leaves_the_line_makes_it_shorter() -> None:
    """One answer a second and three that leave: the fortieth has its turn in ten seconds."""
    comeback = Comeback()
    for number in range(40):
        (comeback.left if number % 4 else comeback.began)(number / 4)
    assert comeback.wait(10.0, 0.0, 40) == pytest.approx(10.0)
    assert comeback.rate(10.0) == 1.0


def test_an_outage_is_no_measure_of_the_rate() -> None:
    """In it, and in the first seconds after it, the rate from before counts; leaving callers do not."""
    comeback = Comeback()
    for number in range(40):
        comeback.began(number / 4)
    for number in range(100):
        comeback.outage(10.0 + number / 10)
        comeback.left(10.0 + number / 10)
    assert comeback.wait(20.0, 2.0, 40) == pytest.approx(12.0)
    comeback.began(20.0, outage=True)
    comeback.began(40.0)
    assert comeback.wait(42.0, 0.0, 100) == pytest.approx(25.0)
    for number in range(100):
        comeback.began(40.0 + number / 10)
    assert comeback.wait(50.0, 0.0, 200) == pytest.approx(20.0, rel=0.02)
