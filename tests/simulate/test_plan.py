"""Which scenarios are played, and under which variants."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibridge_trio.cli import main as cli
from aibridge_trio.errors import UsageError
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.scenario import parse
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from tests.support.simulated import played


def test_every_shipped_scenario_is_listed_and_reads() -> None:
    """And each says in a sentence what it is about; the command line and the page offer them all."""
    page = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()
    folder = Path(parse.__file__).parent / "shipped"
    assert sorted(plan.SCENARIOS) == sorted(file.stem for file in folder.glob("*.toml"))
    [command] = [each for each in cli.commands() if each.name == "simulate"]
    assert command.words["scenario"] == plan.SCENARIOS
    for name in plan.SCENARIOS:
        given = plan.shipped(name)
        assert given.name == name
        assert given.about.endswith(".")
        assert f"| `{name}` |" in page


def test_an_operators_numbers_take_the_scenarios_place() -> None:
    """Callers in proportion, quotas and duration; what begins after the end is left out."""
    numbers = plan.Numbers(
        callers=100, requests_per_caller=2.0, requests_per_minute=400, tokens_per_minute=5, duration=100.0
    )
    changed = plan.scaled(plan.shipped("outage"), numbers)
    assert [group.count for group in changed.groups] == [60, 40]
    assert {group.requests_per_minute for group in changed.groups} == {2.0}
    assert (changed.model.requests_per_minute, changed.model.tokens_per_minute) == (400, 5)
    assert (changed.duration, changed.phases) == (100.0, ())
    assert plan.scaled(changed, plan.Numbers()) == changed


def test_policies_see_the_same_demand_and_the_same_luck() -> None:
    """On a day without trouble nothing tells them apart."""
    [day] = played("day")
    assert len({(each.served, each.wait_p50, each.wait_p99, each.calls) for each in day.outcomes}) == 1


def test_a_fleet_is_played_with_a_store_without_one_and_with_one_that_is_away() -> None:
    """The bridge, for each number of replicas; what shares nothing is played once for each."""
    way = FleetSharing(round_trip=0.02, loss=0.1, cut_off=0.5)
    variants = plan.fleets(plan.variants("aibridge,none", "", ""), "3,30, 3", way)
    assert [each.name for each in variants] == [
        f"{kind}"
        for number in (3, 30)
        for kind in (
            f"aibridge × {number}, one store",
            f"aibridge × {number}, store away",
            f"aibridge × {number}, no store",
            f"none × {number}",
        )
    ]
    assert variants[0].sharing == FleetSharing(3, store=True, round_trip=0.02, loss=0.1, cut_off=0.5)
    assert variants[1].sharing == FleetSharing(3, store=True, round_trip=0.02, loss=0.1, cut_off=1.0)
    assert variants[-1].sharing == FleetSharing(30)


@pytest.mark.parametrize("text", ["0", "10001", "many", "-3", "3.5", ""])
def test_a_number_of_replicas_is_one(text: str) -> None:
    """From 1 to 10,000."""
    with pytest.raises(
        UsageError, match=r"^--replicas: .* is no number from 1 to 10000; write e\.g\. --replicas 3"
    ):
        plan.fleets(plan.variants("none", "", ""), text, FleetSharing())
