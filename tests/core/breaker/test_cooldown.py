from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.cooldown import Cooldown


def cooldown(longest: float = 300.0, chance: float = 0.0) -> Cooldown:
    return Cooldown(30.0, longest, 1.25, 1.5, lambda: chance)


def test_each_trip_in_a_row_is_longer_up_to_the_stretch() -> None:
    """The first cooldown is the configured one."""
    it = cooldown()
    assert [it.begin(0.0, -math.inf, 100.0) - 100.0 for _ in range(4)] == [30.0, 37.5, 45.0, 45.0]
    assert it.in_a_row(0.0) == 4


def test_lengthening_multiplies() -> None:
    """Each trip in a row multiplies the cooldown by the growth."""
    it = Cooldown(10.0, 1000.0, 2.0, 64.0, lambda: 0.0)
    assert [it.begin(0.0, -math.inf, 0.0) for _ in range(8)] == [
        10.0,
        20.0,
        40.0,
        80.0,
        160.0,
        320.0,
        640.0,
        640.0,
    ]


@pytest.mark.parametrize(("chance", "second"), [(0.0, 37.5), (0.5, 41.25), (1 - 2**-53, 45.0)])
def test_chance_adds_up_to_a_fifth(chance: float, second: float) -> None:
    """Chance lengthens all but the first, up to the longest."""
    it = cooldown(chance=chance)
    assert [it.begin(0.0, -math.inf, 0.0) for _ in range(2)] == [30.0, pytest.approx(second)]
    assert cooldown(31.0, chance).begin(0.0, -math.inf, 0.0) == 30.0
    bound = cooldown(38.0, chance)
    bound.begin(0.0, -math.inf, 0.0)
    assert bound.begin(0.0, -math.inf, 0.0) == pytest.approx(min(second, 38.0))


def test_a_word_is_kept_to_the_instant() -> None:
    """The longer one counts: the provider's hint is neither lengthened nor shortened."""
    it = cooldown(chance=0.9)
    assert it.begin(0.0, it.retry_at(29.0, 100.0), 100.0) == 130.0
    assert it.begin(0.0, it.retry_at(200.0, 100.0), 100.0) == 300.0


@pytest.mark.parametrize(("spells", "length"), [(0.0, 45.0), (0.9, 45.0), (1.0, 45.0), (2.0, 37.5), (3.0, 30.0)])
def test_healthy_spells_take_back(spells: float, length: float) -> None:
    """Each healthy spell takes back one trip; it is as long as the configured cooldown."""
    it = cooldown()
    for _ in range(3):
        it.begin(0.0, -math.inf, 0.0)
    assert it.begin(spells * 30.0, -math.inf, 0.0) == length


@pytest.mark.parametrize(("spells", "length"), [(0.0, 80.0), (0.99, 80.0), (1.0, 40.0), (1.99, 40.0), (2.0, 20.0)])
def test_only_whole_spells_take_back(spells: float, length: float) -> None:
    """A spell that is a little too short takes back nothing."""
    it = Cooldown(10.0, 1000.0, 2.0, 64.0, lambda: 0.0)
    for _ in range(3):
        it.begin(0.0, -math.inf, 0.0)
    assert it.begin(spells * 10.0, -math.inf, 0.0) == length


def test_to_forget_begins_anew() -> None:
    """After an override the next trip is the first."""
    it = cooldown()
    it.begin(0.0, -math.inf, 0.0)
    it.reset()
    assert it.begin(0.0, -math.inf, 0.0) == 30.0


@pytest.mark.parametrize(
    ("seconds", "longest", "until"),
    [(None, 300.0, -math.inf), (60.0, 300.0, 160.0), (9999.0, 300.0, 400.0), (60.0, 30.0, -math.inf)],
)
def test_a_word_is_bounded(seconds: float | None, longest: float, until: float) -> None:
    """A hint counts up to the longest; with a longest below the cooldown no hint counts."""
    assert cooldown(longest).retry_at(seconds, 100.0) == until


@given(
    st.lists(
        st.tuples(st.floats(0, 1e9), st.one_of(st.none(), st.floats(0, 1e9)), st.floats(0, 0.999)), max_size=200
    ),
    st.floats(0, 1000),
)
def test_it_ends_between_the_configured_and_the_longest(
    story: list[tuple[float, float | None, float]], longest: float
) -> None:
    """In any sequence the end is not before the configured cooldown or the hint, and not after the longest."""
    luck = 0.0
    it = Cooldown(30.0, longest, 1.25, 1.5, lambda: luck)
    for healthy, hint, chance in story:
        luck = chance
        word = it.retry_at(hint, 50.0)
        until = it.begin(healthy, word, 50.0)
        assert max(80.0, word) <= until <= 50.0 + max(30.0, longest)
        if hint is None:
            assert until <= 50.0 + 30.0 * 1.5 * 1.2


def test_a_growth_without_end_overflows_nothing() -> None:
    """A thousand trips in a row are counted, and forgotten after 64 healthy spells."""
    it = Cooldown(30.0, 300.0, 1e12, 1e300, lambda: 0.0)
    for _ in range(1000):
        until = it.begin(0.0, -math.inf, 0.0)
    assert until == 300.0
    assert repr(it) == "<Cooldown base=30 in_a_row=1000>"
    assert (it.in_a_row(30.0 * 63), it.in_a_row(30.0 * 64)) == (937, 0)
    assert it.begin(30.0 * 64, -math.inf, 0.0) == 30.0
