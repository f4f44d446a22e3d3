"""Scenario files: what they can say, and one line for what is wrong."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.errors import UsageError
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.run import POLICIES
from aibridge_trio.simulate.scenario import scenario, settings
from aibridge_trio.simulate.scenario.demand import wishes
from aibridge_trio.simulate.world.clients import CLIENTS
from tests.support.simulated import CALLERS, parsed

MINIMAL = 'duration = "1m"\n[[callers]]\ncount = 1\nrequests_per_minute = 6\n'


def test_little_is_enough() -> None:
    """A duration and callers; all else has a default."""
    given = parsed(MINIMAL)
    assert (given.duration, given.callers, given.model.slots, given.phases) == (60.0, 1, 0, ())
    assert given.settings == settings.default()


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors on Windows write it."""
    file = tmp_path / "mine.toml"
    file.write_text(MINIMAL, encoding="utf-8-sig")
    assert scenario.load(file).duration == 60.0


def test_a_phase_may_come_again() -> None:
    """`every` so often, until the end or `until`."""
    given = parsed(MINIMAL + '[[phases]]\nfrom = "5s"\nfor = "2s"\nevery = "20s"\nuntil = "40s"\nfault = "hang"\n')
    assert [(phase.start, phase.end) for phase in given.phases] == [(5.0, 7.0), (25.0, 27.0)]


def test_settings_are_the_programs_own() -> None:
    """The same names and units as in serve and its file, numbers or text."""
    given = parsed(MINIMAL + '[settings]\nmax_concurrency = 5\nqueue_timeout = "3s"\ncircuit_breaker = true\n')
    assert (given.settings["max_concurrency"], given.settings["queue_timeout"]) == (5, 3.0)
    assert settings.limits(given.settings).max_concurrency == 5
    told = settings.read("max_concurrency=7 --queue-size=8 circuit_breaker circuit_breaker_max_cooldown=1m")
    assert told == {
        "max_concurrency": 7,
        "queue_size": 8,
        "circuit_breaker": True,
        "circuit_breaker_max_cooldown": 60.0,
    }


def test_what_the_program_has_an_option_for_is_read_by_that_option() -> None:
    """So its unit and its default are the program's, as soon as it has one."""
    options = {option.name: option for option in OPTIONS}
    for name, known in settings.KNOWN.items():
        assert name not in options or known is options[name]


def test_every_setting_reaches_a_machine() -> None:
    """A setting that is read and changes nothing would be a lie."""
    default = settings.default()
    others = {
        "max_concurrency": 9,
        "max_concurrency_per_caller": 9,
        "max_concurrency_per_provider": 9,
        "queue_size": 9,
        "queue_timeout": 9.5,
        "circuit_breaker_failure_threshold": 9,
        "circuit_breaker_window": 9.5,
        "circuit_breaker_cooldown": 9.5,
        "circuit_breaker_half_open_max_requests": 9,
        "circuit_breaker_max_cooldown": 9.5,
        "circuit_breaker_growth": 9.5,
        "circuit_breaker_stretch": 9.5,
        "circuit_breaker_ramp": 9.5,
    }
    for name, value in others.items():
        told = default | {name: value}
        machines = [(settings.limits(each), settings.policy(each)) for each in (default, told)]
        assert machines[0] != machines[1], name
    # These go to the bridge itself.
    rest = (
        "rate_limit",
        "circuit_breaker",
        "circuit_breaker_429",
        "circuit_breaker_slow_first_byte",
        "first_byte_timeout",
    )
    assert [name for name in settings.KNOWN if name not in others] == [
        name for name in settings.KNOWN if name in rest
    ]
    assert default["circuit_breaker_slow_first_byte"] == math.inf


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'test.toml: duration: is missing; add duration = "10s"'),
        ("duration = 60", 'test.toml: duration: "60" has no unit (ms, s, m, h); write e.g. duration = "60s"'),
        ('duration = "1m"', "test.toml: callers: there are none; add [[callers]] with count = 40"),
        (
            'duration = "1m"\n[callers]\ncount = 4',
            "test.toml: callers: is no array of tables; write [[callers]] and below it what belongs there",
        ),
        (
            'duration = "1m"\n[[callers]]\ncount = 4',
            "test.toml: [[callers]] 1 requests_per_minute: is missing; add requests_per_minute = 50",
        ),
        (
            MINIMAL + 'client = "opnai-python"',
            (
                'test.toml: [[callers]] 1 client: "opnai-python" is none of openai-python, openai-node, '
                'anthropic-python, codex, claude-code, none; write e.g. client = "openai-python"'
            ),
        ),
        (MINIMAL + "patiense = 3", "test.toml: [[callers]] 1 patiense: unknown key; did you mean patience?"),
        (MINIMAL + "[provider]\nslot = 3", "test.toml: [provider] slot: unknown key; did you mean slots?"),
        (
            MINIMAL + "[provider]\nslots = -3",
            'test.toml: [provider] slots: "-3" is not a whole number; write e.g. slots = 10',
        ),
        (
            MINIMAL + "[provider]\nslots = [{}]",
            'test.toml: [provider] slots: "[{}]" is no value; write e.g. slots = 10',
        ),
        (
            MINIMAL + "[provider]\ntokens_per_second = 0",
            "test.toml: [provider] tokens_per_second: no answer would ever end; write e.g. tokens_per_second = 60",
        ),
        (
            "provider = 3\n" + MINIMAL,
            "test.toml: provider: is no table; write [provider] and below it what belongs there",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "2m"\nfor = "1s"',
            "test.toml: [[phases]] 1 from: is after the end; make it earlier, or the duration longer",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "1s"\nfor = "5s"\nevery = "5s"',
            "test.toml: [[phases]] 1 every: comes again before it is over; make it longer than for",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "1s"\nfor = "5s"\nshare = 1.5',
            'test.toml: [[phases]] 1 share: "1.5" is more than 1, which is all; write e.g. share = 0.5',
        ),
        (
            MINIMAL + "[settings]\nmax_concurency = 5",
            "test.toml: [settings] max_concurency: unknown key; did you mean max_concurrency?",
        ),
        (
            MINIMAL + '[settings]\ncircuit_breaker_cooldown = "30"',
            (
                'test.toml: [settings] circuit_breaker_cooldown: "30" has no unit (ms, s, m, h); write e.g. '
                'circuit_breaker_cooldown = "30s"'
            ),
        ),
        (MINIMAL + "[clients.mine]\n", "test.toml: [clients.mine] retries: is missing; add retries = 10"),
        (MINIMAL + "colour = 1\n[x]", "test.toml: [[callers]] 1 colour: unknown key; remove it"),
        ("[y]\n", 'test.toml: duration: is missing; add duration = "10s"'),
        (
            'duration = "1h"\n[[callers]]\ncount = 99000\nrequests_per_minute = 60',
            "test.toml: duration: more than 5,000,000 requests; simulate a shorter time",
        ),
        (
            'duration = "1h"\n[[callers]]\ncount = 200000\nrequests_per_minute = 1',
            "test.toml: callers: more than 100,000 in all; simulate fewer",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text: str, said: str) -> None:
    """Which file, table and key; what is wrong; how to mend it."""
    with pytest.raises(UsageError) as found:
        parsed(text)
    assert str(found.value) == said


def test_a_client_of_ones_own_can_be_used() -> None:
    """A table under clients, and its name at the callers."""
    given = parsed(
        CALLERS + 'client = "mine"\n[clients.mine]\nretries = 3\nstatuses = [429, 503]\nlongest_told = "9s"\n'
    )
    client = given.groups[0].client
    assert (client.name, client.retries, client.statuses, client.longest_told) == ("mine", 3, (429, 503), 9.0)


def test_what_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """No file, or no TOML."""
    with pytest.raises(UsageError, match=r'^SCENARIO: ".*x\.toml" cannot be read: No such file'):
        list(plan.find([str(tmp_path / "x.toml")]))
    (tmp_path / "y.toml").write_text("= 3")
    with pytest.raises(UsageError, match="is not TOML"):
        scenario.load(tmp_path / "y.toml")


def test_every_shipped_scenario_is_listed_and_reads() -> None:
    """And each says in a sentence what it is about; the command line offers them all."""
    from aibridge_trio.cli import main as cli

    folder = Path(scenario.__file__).parent / "shipped"
    assert sorted(plan.SHIPPED) == sorted(file.stem for file in folder.glob("*.toml"))
    [command] = [each for each in cli.commands() if each.name == "simulate"]
    assert command.words["scenario"] == plan.SHIPPED
    for name in plan.SHIPPED:
        given = plan.shipped(name)
        assert given.name == name
        assert given.about.endswith(".")


def test_demand_is_what_was_asked_for() -> None:
    """The rate on average, the crowd's while it lasts, everybody's; and no caller outside."""
    given = parsed(CALLERS + '[[crowds]]\nfrom = "1m"\nfor = "1m"\ntimes = 5\n')
    found = wishes(given, 3)
    assert [wish.born for wish in found] == sorted(wish.born for wish in found)
    by_minute = [sum(60 * minute <= wish.born < 60 * (minute + 1) for wish in found) for minute in range(4)]
    assert 190 < by_minute[0] < 290
    assert 1050 < by_minute[1] < 1350
    assert {wish.caller for wish in found} == set(range(20))


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


def test_every_key_is_documented() -> None:
    """What a scenario file can say stands in docs/simulate.md, and every setting that is known."""
    page = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text()
    keys = [
        str(node.args[0].value)
        for node in ast.walk(ast.parse(Path(scenario.__file__).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("take", "table", "tables")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(keys) > 40
    for key in keys:
        assert f"`{key}`" in page or f"[{key}" in page, key
    for name in settings.KNOWN:
        assert f"`{name}`" in page or f"`{name.removeprefix('circuit_breaker')}`" in page, name
    for client in CLIENTS:
        assert f"`{client}`" in page
    for policy in POLICIES:
        assert f"| `{policy}` |" in page


def test_the_manuals_example_is_a_scenario() -> None:
    """It can be typed as it stands."""
    prose = Path(__file__).parents[3] / "tools" / "reference" / "prose" / "aibridge-simulate.1.md"
    [example] = [block for block in prose.read_text().split("```") if "[[callers]]" in block]
    given = parsed(example)
    assert (given.callers, len(given.phases), len(given.crowds)) == (40, 1, 1)
