"""The constants of core/adaptive, as the page lists them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aibridge_trio.core.adaptive import level_bound, limiter, resend_budget
from aibridge_trio.simulate.policies import adaptive
from tools.tuning.constants import CONSTANTS, DERIVED, LOAD, QUOTA, Constant, changed, changes, module

# Without words.py, whose numbers say how what was learned is shown.
SOURCES = sorted(file for file in Path(limiter.__file__).parent.glob("[!_]*.py") if file.stem != "words")


def numbers(source: Path) -> set[str]:
    """The names of a module's constants that are numbers."""
    targets = [node.targets[0] for node in ast.parse(source.read_text()).body if isinstance(node, ast.Assign)]
    names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if isinstance(vars(module(source.stem))[name], int | float)}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_number_is_listed_once(source: Path) -> None:
    """All that the module's text assigns, but for those that others determine."""
    listed = [name for each in CONSTANTS if each.module == source.stem for name in each.names.split()]
    assert len(listed) == len(set(listed))
    derived = {path.partition(".")[2] for path in DERIVED if path.startswith(f"{source.stem}.")}
    assert set(listed) == numbers(source) - derived


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda each: f"{each.module}.{each.names}")
def test_another_value_is_lower_and_another_higher(constant: Constant) -> None:
    """Of two that are changed together, the distance."""
    assert constant.scenes in {(), LOAD, QUOTA}
    if constant.scenes:
        low, mid, high = constant.tried(higher=False), constant.values, constant.tried(higher=True)
        assert low[-1] - (low[0] if len(low) > 1 else 0) < mid[-1] - (mid[0] if len(mid) > 1 else 0)
        assert high[-1] - (high[0] if len(high) > 1 else 0) > mid[-1] - (mid[0] if len(mid) > 1 else 0)


def test_a_change_lasts_for_a_while() -> None:
    """In the module, where the constant is imported, and in what it determines; also when the run fails."""
    names = ("_FIRST_PAUSE", "_SHARE", "_COVERED", "LONGEST_HOLD")
    modules = (level_bound, resend_budget, limiter, adaptive)

    def values() -> list[object]:
        return [vars(each).get(name) for each in modules for name in names]

    before = values()
    with changed("level_bound._FIRST_PAUSE=0.5 resend_budget._SHARE=0.2 limiter.LONGEST_HOLD=30"):
        assert vars(level_bound)["_FIRST_PAUSE"] == 0.5
        assert vars(resend_budget)["_COVERED"] == 0.2 / vars(resend_budget)["_LEAST"]
        assert (limiter.LONGEST_HOLD, vars(adaptive)["LONGEST_HOLD"]) == (30, 30)
    assert values() == before
    with pytest.raises(ZeroDivisionError), changed("level_bound._FIRST_PAUSE=0.5"):
        _ = 1 / 0
    assert values() == before


def test_what_others_determine_is_computed_as_the_module_does() -> None:
    """Or a change would leave it behind."""
    for path, rule in DERIVED.items():
        name, _, constant = path.partition(".")
        assert vars(module(name))[constant] == rule(module(name))


def test_an_integer_stays_one() -> None:
    """Half of three is two; a change names both of a pair."""
    few = Constant("load_evidence", "_LONGEST_RUN", "")
    assert [few.tried(higher=False), few.values, few.tried(higher=True)] == [(2,), (3,), (6,)]
    pair = Constant("limiter", "_REST_FROM _REST_TO", "", LOAD, "1 1", "0.5 1.5")
    assert pair.change(higher=True) == "limiter._REST_FROM=0.5 limiter._REST_TO=1.5"
    assert pair.change(higher=True) in changes(LOAD)
    assert pair.change(higher=True) not in changes(QUOTA)
