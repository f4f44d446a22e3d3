"""The simulator: the same seed is the same result, nothing is lost, and protection protects."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibridge_trio.cli import main as cli
from aibridge_trio.simulate import grid_search, plan
from aibridge_trio.simulate.plan import SHIPPED, Played
from aibridge_trio.simulate.results import report
from aibridge_trio.simulate.results import svg as draw
from aibridge_trio.simulate.results.progress import Progress
from aibridge_trio.simulate.run import POLICIES, Play
from aibridge_trio.simulate.scenario.demand import wishes
from aibridge_trio.simulate.world.engine import Engine
from tests.support.simulated import CALLERS, OUTAGE, parsed, play, shipped

EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)


def played(*names: str, seed: int = 1) -> list[Played]:
    """Play shipped scenarios under every policy."""
    compared = plan.variants(",".join(POLICIES), "", "")
    return [plan.play(shipped(name), compared, seed) for name in names]


# The same seed, the same bytes.


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Table, JSON and picture; another seed gives others."""
    first, again, other = (played("outage", "quota", seed=seed) for seed in (1, 1, 2))
    for form in (lambda plays: report.document(1, plays), draw.picture, lambda plays: report.table(plays[1])):
        assert form(first) == form(again)
        assert form(first) != form(other)


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever its order of hashes, and whatever was played before."""
    outputs, names = [], ("flash-crowd", "quota")
    for number, hashes in enumerate(("0", "4711")):
        svg = tmp_path / f"{number}.svg"
        command = [sys.executable, "-m", "aibridge_trio", "simulate", *names, "--json", "--svg", str(svg)]
        environ = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": hashes}
        done = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60)
        outputs.append((done.stdout, svg.read_bytes()))
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0][0]) == json.loads(report.document(1, played(*names)))


def test_policies_see_the_same_demand_and_the_same_luck() -> None:
    """On a day without trouble nothing tells them apart."""
    [day] = played("day")
    assert len({(each.served, each.wait_p50, each.wait_p99, each.calls) for each in day.outcomes}) == 1


# Nothing is lost.


@EVERY_POLICY
@pytest.mark.parametrize("name", SHIPPED)
def test_every_wish_ends_once_and_no_slot_leaks(name: str, policy: str) -> None:
    """In every scenario under every policy; calls that went up came back as good or as waste."""
    outcome = play(shipped(name), policy)
    assert outcome.served == outcome.calls - outcome.wasted
    assert outcome.tries >= outcome.wanted
    assert outcome.tries - outcome.refused >= outcome.calls


FAULTS = st.sampled_from(
    ["none", "429", "500", "503", "529", "exhausted", "refuse", "hang", "overloaded", "break"]
)


@settings(deadline=None, max_examples=40)
@given(
    fault=FAULTS,
    client=st.sampled_from(["openai-python", "anthropic-python", "codex", "claude-code", "none"]),
    told=st.fixed_dictionaries(
        {
            "max_concurrency": st.integers(0, 12),
            "max_concurrency_per_caller": st.integers(0, 3),
            "max_concurrency_per_provider": st.integers(0, 8),
            "queue_size": st.integers(0, 15),
            "queue_timeout": st.sampled_from(["1s", "5s"]),
            "rate_limit": st.integers(0, 2),
            "circuit_breaker": st.sampled_from(["true", "false"]),
            "circuit_breaker_cooldown": st.sampled_from(["2s", "10s"]),
            "circuit_breaker_max_cooldown": st.sampled_from(["1s", "1m"]),
            "circuit_breaker_growth": st.sampled_from(["1", "2"]),
            "circuit_breaker_ramp": st.sampled_from(["0s", "5s"]),
            "circuit_breaker_429": st.sampled_from(["provider", "credential"]),
            "circuit_breaker_slow_first_byte": st.sampled_from(["0s", "1s"]),
            "first_byte_timeout": st.sampled_from(["0s", "8s"]),
        }
    ),
    seed=st.integers(0, 9),
)
def test_nothing_is_lost_whatever_is_set(fault: str, client: str, told: dict[str, object], seed: int) -> None:
    """Settings, faults and clients at random: each wish ends once, and all that was held is given back."""
    text = (
        'duration = "40s"\n[[callers]]\ncount = 6\nrequests_per_minute = 20\npatience = "15s"\n'
        f'client = "{client}"\n[provider]\nslots = 10\nkeys = "own"\nrequests_per_minute = 60\n'
        f'[[phases]]\nfrom = "10s"\nfor = "10s"\nfault = "{fault}"\nshare = 0.8\ncuts = true\nretry_after = "4s"\n'
    )
    for policy in POLICIES:
        play(text, policy, seed, **told)


def test_events_that_fall_due_together_keep_their_order() -> None:
    """First asked for, first done; what is asked for the past is done now."""
    engine = Engine()
    done: list[str] = []
    engine.at(1.0, done.append, "a")
    engine.at(1.0, done.append, "b")
    engine.at(0.5, lambda _: engine.at(0.1, done.append, f"late, at {engine.now}"))
    assert engine.run() == 4
    assert done == ["late, at 0.5", "a", "b"]


# Protection protects.


def test_without_protection_an_outage_wastes_every_call() -> None:
    """All that goes up while it lasts fails; and retries make it more than was wanted."""
    given_ = parsed(CALLERS.replace("4m", "1m") + '[[phases]]\nfrom = "0s"\nfor = "1m"\nfault = "503"\n')
    outcome = play(given_, "none")
    # Only who was refused at the very end is served when it is over.
    assert outcome.wasted > 2.5 * outcome.wanted
    assert outcome.served < 0.05 * outcome.wanted


@pytest.mark.parametrize("cooldown", [5, 10, 30])
def test_a_breaker_wastes_no_more_than_what_is_in_flight_and_its_probes(cooldown: int) -> None:
    """What runs when the outage begins, the threshold, and three probes each time a cooldown ends."""
    outcome = play(
        CALLERS + "[provider]\nslots = 100\n" + OUTAGE,
        circuit_breaker="true",
        circuit_breaker_cooldown=f"{cooldown}s",
        circuit_breaker_growth="1",
    )
    in_flight = max(outcome.curves.in_flight)
    probes = 3 * (60 // cooldown + 1)
    assert 0 < outcome.wasted <= in_flight + 5 + probes
    assert play(CALLERS + OUTAGE, "none").wasted > 3 * outcome.wasted


def test_after_an_outage_all_is_as_before() -> None:
    """The way back is found, not much later than the cooldown."""
    outcome = play(CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s")
    assert outcome.recovery is not None
    assert 0 <= outcome.recovery <= 45
    last = outcome.curves.goodput[-40:]
    assert sum(last) / len(last) > 3


@pytest.mark.parametrize("fair", [{"max_concurrency_per_caller": 10}, {"queue_size": 100}], ids=["share", "queue"])
def test_a_greedy_caller_is_held_back(fair: dict[str, int]) -> None:
    """With a share per caller, or with the fair queue, the modest get what is theirs."""
    greedy = shipped("greedy-caller")
    settings_: dict[str, Any] = {"max_concurrency_per_caller": 0, "queue_size": 0, "max_concurrency": 40}
    without, with_ = play(greedy, **settings_), play(greedy, **(settings_ | fair))
    assert without.fairness < 0.7
    assert with_.fairness > 0.95


def test_a_queue_answers_more_of_a_crowd() -> None:
    """Who waits a little need not come back."""
    crowd = shipped("flash-crowd")
    assert play(crowd).served > play(crowd, queue_size=0).served


def test_one_keys_quota_is_not_everybodys_illness() -> None:
    """With the breaker on keys the modest are served, while they are few who ask for too much."""
    quota = shipped("quota")
    modest, over = quota.groups
    quota = dataclasses.replace(quota, groups=(modest, dataclasses.replace(over, count=2)))
    by_provider, by_key = play(quota), play(quota, circuit_breaker_429="credential")
    assert by_key.fairness > by_provider.fairness
    assert by_key.share > 2 * by_provider.share


def test_rejects_tell_the_truth_and_others_do_not() -> None:
    """What the bridge says of its cooldown is never too short, and the whole cooldown is mostly too long."""
    told: dict[str, Any] = {"circuit_breaker": "true", "circuit_breaker_growth": "1"}
    ours, theirs = play(CALLERS + OUTAGE, **told), play(CALLERS + OUTAGE, "go-aibridge")
    assert ours.told_p5 is not None
    assert ours.told_p50 is not None
    assert theirs.told_p50 is not None
    assert ours.told_p5 >= -0.01
    assert ours.told_p50 < 6 < theirs.told_p50


def test_a_mid_stream_overload_opens_ours_and_not_the_others() -> None:
    """A 200 that says "overloaded" is a failure here and a success there."""
    overloaded = CALLERS + OUTAGE.replace('"503"', '"overloaded"')
    assert play(overloaded, circuit_breaker="true").trips > 0
    assert play(overloaded, "go-aibridge").trips == play(overloaded, "litellm").trips == 0


def test_a_refused_connection_opens_ours_and_not_the_go_bridge() -> None:
    """A provider that is not there is a failure here, and no failure there."""
    refused = CALLERS + OUTAGE.replace('"503"', '"refuse"')
    assert play(refused, circuit_breaker="true").trips > 0
    assert play(refused, "go-aibridge").trips == 0


def test_a_longer_ramp_lets_them_back_in_later() -> None:
    """Between the end of the cooldown and full load there is a slope."""
    at_once = play(CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s")
    slowly = play(
        CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s", circuit_breaker_ramp="40s"
    )
    assert at_once.recovery is not None
    assert slowly.recovery is not None
    assert slowly.recovery > at_once.recovery + 5


# Looking and choosing.


def test_the_picture_is_xml_with_a_panel_for_each_scenario() -> None:
    """It says its names, and is read on dark pages as well."""
    text = draw.picture(played("outage", "day"))
    ET.fromstring(text)
    assert text.count('class="title"') == 2
    assert "prefers-color-scheme: dark" in text
    assert "nan" not in text
    for name in (*POLICIES, "outage", "day"):
        assert f">{name}</text>" in text


def test_the_document_has_the_numbers_and_the_curves() -> None:
    """One JSON document, without what JSON has no word for."""
    document = json.loads(report.document(7, played("flapping")), parse_constant=pytest.fail)
    assert document["seed"] == 7
    [flapping] = document["scenarios"]
    outcome = flapping["outcomes"][0]
    assert {"goodput", "wasted", "fairness", "wait_p99", "told_p50", "recovery", "recovered"} <= set(outcome)
    assert len({len(curve) for curve in outcome["curves"].values() if isinstance(curve, list)}) == 1


def test_the_best_is_first_and_what_was_told_stays() -> None:
    """A suggestion keeps the settings that the operator gave."""
    given_ = [parsed(CALLERS.replace("4m", "90s") + "[provider]\nslots = 20\n")]
    found = grid_search.suggested(given_, {"queue_size": 7}, 1)
    assert {point.settings["queue_size"] for point in found} == {7}
    assert all(before.rank <= after.rank for before, after in pairwise(found))
    assert found[0].settings["circuit_breaker"] is True
    # A queue without anything to wait for is a mistake in the program.
    assert all(
        point.settings["max_concurrency"] or point.settings["max_concurrency_per_caller"] for point in found
    )


def test_a_suggestion_says_whose_slots_it_counts() -> None:
    """The provider's, or where its quota ends, or for want of both; of several scenarios the fewest."""
    slots, busy = parsed(CALLERS + "[provider]\nslots = 40\n"), parsed(CALLERS)
    quota = parsed(CALLERS + "[provider]\nrequests_per_minute = 60\n")
    said = "max_concurrency counts slots of the bridge. Tried are none and 50%, 80%, 100% of 40: "
    assert grid_search.basis([slots]) == f"{said}the provider's slots."
    assert grid_search.basis([busy]).endswith(
        ": twice what is in flight if all goes well, for want of slots and quota."
    )
    assert "what is in flight at its quota of 60 requests a minute in test, the fewest." in grid_search.basis(
        [slots, quota]
    )


def test_each_caller_counts_the_same() -> None:
    """One that wants much and gets little is one of many, in a column of its own."""
    outcome = play(
        'duration = "2m"\n[[callers]]\ncount = 9\nrequests_per_minute = 6\n'
        "[[callers]]\ncount = 1\nrequests_per_minute = 600\n[provider]\nslots = 10\n",
        max_concurrency=10,
        max_concurrency_per_caller=2,
    )
    assert outcome.share < 0.2
    assert outcome.share_by_caller > 0.8
    table = report.table(Played(parsed(CALLERS), (outcome,))).splitlines()
    assert "by caller" in table[3]
    assert f"{outcome.share:.1%}  " in table[4]
    assert f" {outcome.share_by_caller:.1%}" in table[4]


class Terminal(StringIO):
    """A terminal, as far as it says so itself."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_goes_away() -> None:
    """Each text covers the one before it, and at the end there is nothing."""
    terminal, pipe = Terminal(), StringIO()
    for stream in (terminal, pipe, None):
        with Progress(stream) as progress:
            progress.say("a longer one")
            progress.say("short")
    assert terminal.getvalue() == "\ra longer one\rshort       \r     \r"
    assert pipe.getvalue() == ""


# The command.


def test_what_a_shorter_time_leaves_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Phases and crowds that begin after the end, in the table, the document and before suggestions."""
    said = "left out, because the end is before it: 1 phase at 3m"
    assert cli.main(["simulate", "outage", "day", "--policy", "none", "--duration", "2m"]) == 0
    assert re.findall("^left out.*", capsys.readouterr().out, re.MULTILINE) == [said]
    assert cli.main(["simulate", "outage", "--policy", "none", "--duration", "2m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenarios"][0]["left_out"] == "1 phase at 3m"
    given_ = parsed(CALLERS + OUTAGE + '[[crowds]]\nfrom = "1m"\nfor = "1s"\nevery = "1m"\ntimes = 2\n')
    changed = plan.scaled(given_, plan.Numbers(duration=60.0))
    assert changed.left_out == "1 phase at 1m and 3 crowds, the first at 1m"
    assert plan.scaled(changed, plan.Numbers()) == changed


def test_a_terminal_sees_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On stderr; and suggestions say of what their limits are parts."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli.main(["simulate", "day", "--policy", "aibridge,none", "--duration", "5s"]) == 0
    assert "\rplaying day: 1 of 2\rplaying day: 2 of 2\r" in terminal.getvalue()
    file = tmp_path / "mine.toml"
    file.write_text(CALLERS.replace("4m", "2s") + "[provider]\nslots = 20\n")
    capsys.readouterr()
    assert cli.main(["simulate", str(file), "--suggest"]) == 0
    assert capsys.readouterr().out.startswith("max_concurrency counts slots of the bridge. Tried are none and 50%")
    assert "\rtrying setting 2 of " in terminal.getvalue()


def test_the_command_prints_a_table_for_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Scenarios by name and by file, side by side under the settings to compare."""
    file = tmp_path / "mine.toml"
    file.write_text(CALLERS + OUTAGE)
    compared = ("--compare", "circuit_breaker=true queue_size=5", "--compare", "circuit_breaker=false")
    assert (
        cli.main(["simulate", "day", str(file), "--policy", "aibridge,none", *compared, "--duration", "90s"]) == 0
    )
    said = capsys.readouterr()
    assert said.err == ""
    assert re.findall(r"^[a-z]+(?=: |$)", said.out, re.MULTILINE) == ["day", "mine"]
    rows = ("circuit_breaker=true queue_size=5 ", "circuit_breaker=false ", "none ")
    assert [sum(line.startswith(row) for line in said.out.splitlines()) for row in rows] == [2, 2, 2]
    assert all(len(line) <= 140 for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("outrage", 'SCENARIO: there is none called "outrage"; did you mean outage?'),
        ("--policy gobridge", '--policy: "gobridge" is none; did you mean go-aibridge?'),
        (
            "--setting max_concurency=4",
            (
                '--setting: "max_concurency" is no setting that can be simulated; write e.g. '
                "--setting max_concurrency=4"
            ),
        ),
        (
            "--compare queue_timeout=4",
            '--compare: queue_timeout: "4" has no unit (ms, s, m, h); write e.g. --compare queue_timeout=4s',
        ),
        ("--callers 0", "--callers: 0 is too few; write e.g. --callers 5"),
        ("--suggest --json", "--suggest: does not go with --compare, --json or --svg; leave those out"),
        (
            "./nowhere.toml",
            (
                'SCENARIO: "nowhere.toml" cannot be read: No such file or directory; name a scenario '
                "or a readable TOML file"
            ),
        ),
    ],
)
def test_mistakes_are_one_line(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What, where, how to mend it; exit status 2."""
    assert cli.main(["simulate", *arguments.split()]) == 2
    assert capsys.readouterr().err == f"aibridge: {said}\n"


def test_a_picture_that_cannot_be_written_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit status 1 and one line."""
    wrong = str(tmp_path / "no" / "x.svg")
    assert cli.main(["simulate", "day", "--policy", "none", "--duration", "5s", "--svg", wrong]) == 1
    assert capsys.readouterr().err.startswith("aibridge: --svg: ")


def test_an_hour_of_a_thousand_callers_takes_seconds() -> None:
    """Under 10 s on a quiet machine; here there may be others, so the processor's time counts, threefold."""
    given_ = parsed(
        'duration = "10m"\n[[callers]]\ncount = 1000\nrequests_per_minute = 2\n'
        "[provider]\nslots = 300\n[settings]\nmax_concurrency = 300\nqueue_size = 200\ncircuit_breaker = true\n"
    )
    begun = time.process_time()
    Play(given_, wishes(given_, 1), "aibridge", given_.settings, 1).run("aibridge")
    assert time.process_time() - begun < 5
