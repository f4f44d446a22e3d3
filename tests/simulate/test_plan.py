"""Which scenarios are played, and under which variants."""

from __future__ import annotations

from pathlib import Path

from aibridge_trio.cli import main as cli
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.scenario import parse
from tests.support.simulated import played


def test_every_shipped_scenario_is_listed_and_reads() -> None:
    """And each says in a sentence what it is about; the command line and the page offer them all."""
    page = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()
    folder = Path(parse.__file__).parent / "shipped"
    assert sorted(plan.SHIPPED) == sorted(file.stem for file in folder.glob("*.toml"))
    [command] = [each for each in cli.commands() if each.name == "simulate"]
    assert command.words["scenario"] == plan.SHIPPED
    for name in plan.SHIPPED:
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
