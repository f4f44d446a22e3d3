"""The simulator: the same seed is the same result, nothing is lost, and protection protects."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from aibridge_trio.cli import main as cli
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.results import report
from aibridge_trio.simulate.results.svg import draw
from aibridge_trio.simulate.run import POLICIES
from tests.support.simulated import CALLERS, OUTAGE, parsed, played

# The same seed, the same bytes.


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Table, JSON and picture; another seed gives others."""
    first, again, other = (played("outage", "quota", seed=seed) for seed in (1, 1, 2))
    for form in (lambda plays: report.document(1, plays), draw, lambda plays: report.table(plays[1])):
        assert form(first) == form(again)
        assert form(first) != form(other)


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever its order of hashes, and whatever was played before."""
    outputs, names = [], ("flash-crowd", "quota")
    for number, hashes in enumerate(("0", "4711")):
        svg = tmp_path / f"{number}.svg"
        command = [sys.executable, "-m", "aibridge_trio", "simulate", *names, "--json", "--svg", str(svg)]
        command += ["--policy", ",".join(POLICIES)]
        environ = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": hashes}
        done = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60)
        outputs.append((done.stdout, svg.read_bytes()))
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0][0]) == json.loads(report.document(1, played(*names)))


class Terminal(StringIO):
    """A terminal, as far as it says so itself."""

    def isatty(self) -> bool:
        return True


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
        (
            "--suggest --json",
            "--suggest: does not go with --compare, --replicas, --json or --svg; leave those out",
        ),
        ("--replicas 0", '--replicas: "0" is no number from 1 to 10000; write e.g. --replicas 3'),
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


def test_replicas_are_played_with_a_store_and_without(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the scenario is theirs; the document has the same numbers."""
    words = ["simulate", "--replicas", "3", "--policy", "aibridge", "--duration", "9s", "--partition", "40%"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("replicas: ")
    assert [line.partition("  ")[0] for line in lines[4:]] == [
        *("promised", "aibridge × 3, one store", "aibridge × 3, store away", "aibridge × 3, no store", "")
    ]
    assert cli.main([*words, "--json"]) == 0
    [played_] = json.loads(capsys.readouterr().out)["scenarios"]
    one, _, none = [outcome["peaks"]["in_flight"] for outcome in played_["outcomes"]]
    assert none > 1.5 * one
    assert [each["peaks"]["known_after"] for each in played_["outcomes"]] == [None, None, None]


def test_a_picture_that_cannot_be_written_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit status 1 and one line."""
    wrong = str(tmp_path / "no" / "x.svg")
    assert cli.main(["simulate", "day", "--policy", "none", "--duration", "5s", "--svg", wrong]) == 1
    assert capsys.readouterr().err.startswith("aibridge: --svg: ")
