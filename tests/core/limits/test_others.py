from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.others import FORGOTTEN, MOST, Others
from aibridge_trio.core.sharing.needs import Denied, Granted, Holding


class Told:
    """Keeps what others hold."""

    def __init__(self) -> None:
        self.amounts: Counter[str] = Counter()
        self.others = Others(self.tell)

    def tell(self, key: str, amount: int) -> None:
        assert amount != self.amounts[key]
        self.amounts[key] = amount


def test_a_limit_that_refuses_is_remembered() -> None:
    """Others hold the total less what this replica has; of other limits nothing is remembered."""
    told = Told()
    told.others.took([("slots", 2), ("caller:a", 1)])
    needs = [Holding("slots", 5), Holding("caller:a", 9)]
    told.others.answered(needs, Denied("slots", totals={"slots": 5, "caller:a": 4}), 1.0)
    assert told.amounts == {"slots": 3}
    told.others.took([("slots", 1)])
    told.others.answered(needs, Granted(7.0, {"slots": 4, "caller:a": 5}), 1.1)
    assert told.amounts == {"slots": 1}
    told.others.told({"slots": 3, "caller:a": 9}, 1.2)
    assert told.amounts == {"slots": 0}
    assert not len(told.others)


def test_a_refusal_means_that_it_is_full() -> None:
    """Even if the store's total does not say so: it was counted before something was given back."""
    told = Told()
    told.others.took([("slots", 4)])
    told.others.answered([Holding("slots", 5)], Denied("slots", totals={"slots": 2}), 1.0)
    assert told.amounts["slots"] == 1


def test_what_is_old_or_does_not_matter_is_forgotten() -> None:
    """After a second without an answer; or when no request was refused for a second, and none waits."""
    told = Told()
    denied = Denied("slots", totals={"slots": 5})
    told.others.answered([Holding("slots", 5)], denied, 1.0)
    told.others.missed(1.0)
    assert told.others.due(1.0 + FORGOTTEN, waiting=False) == ["slots"]
    told.others.told({"slots": 4}, 2.0)
    assert told.others.due(2.1, waiting=True) == ["slots"]
    assert not told.others.due(2.1, waiting=False)
    assert not told.amounts["slots"]
    told.others.answered([Holding("slots", 5)], denied, 5.0)
    assert not told.others.due(5.1 + FORGOTTEN, waiting=True)


def test_memory_is_bounded() -> None:
    """The limit whose amount is the oldest is forgotten first."""
    told = Told()
    for number in range(MOST + 5):
        key = f"caller:{number}"
        told.others.answered([Holding(key, 1)], Denied(key, totals={key: 1}), float(number))
    assert len(told.others) == MOST
    assert not told.amounts["caller:4"]
    assert told.amounts["caller:5"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.booleans())))
def test_the_sum_is_the_total(steps: list[tuple[str, int, bool]]) -> None:
    """What others hold is what the last total says beyond the own ones, never less than 0."""
    told, own = Told(), Counter[str]()
    for number, (key, total, takes) in enumerate(steps):
        if takes:
            told.others.took([(key, 1)])
            own[key] += 1
        elif own[key]:
            told.others.gave_back([(key, 1)])
            own[key] -= 1
        told.others.answered([Holding(key, 0)], Denied(key, totals={key: total}), float(number))
        assert told.amounts[key] == max(0, total - own[key])
