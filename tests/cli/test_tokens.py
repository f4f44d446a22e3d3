"""`aibridge token`: what it prints, and what it does to the file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aibridge_trio.cli import main as cli
from aibridge_trio.config.caller_tokens import contains_token, token_hash
from aibridge_trio.config.loader import load

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that runs `aibridge token`, and returns its exit status and what it printed."""
    for name in [name for name in os.environ if name.startswith("AIBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["token", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def callers(file: str = "callers.toml") -> list[dict[str, Any]]:
    """Return the entries of a file."""
    found: list[dict[str, Any]] = tomllib.loads(Path(file).read_text())["callers"]
    return found


def test_without_a_file_the_entry_is_printed(run: Run) -> None:
    """It can be put into any file as it is; the token is in it by its hash."""
    status, out, err = run("new", "dev-07", "--class", "people", "--expires", "2027-03-31")
    token, _, entry = out.partition("\n\n")
    assert (status, contains_token(token.encode())) == (0, True)
    assert token not in entry + err
    [found] = tomllib.loads(entry)["callers"]
    assert found["token_sha256"] == token_hash(token.encode())
    assert (found["name"], found["class"], str(found["expires"])) == ("dev-07", "people", "2027-03-31")
    assert list(Path().iterdir()) == []


def test_with_a_file_only_the_token_is_printed_and_the_bridge_knows_it(run: Run) -> None:
    """So that a script can take it; the file is its owner's alone."""
    os.umask(0o022)
    status, out, err = run("new", "dev-07", "--callers-file", "callers.toml")
    assert (status, out.count("\n"), contains_token(out.strip().encode())) == (0, 1, True)
    assert "aibridge reload" in err
    assert stat.S_IMODE(Path("callers.toml").stat().st_mode) == 0o600
    [known] = load({"callers_file": "callers.toml"}, {}).settings.known_callers.callers
    assert (known.name, known.token_sha256) == ("dev-07", (token_hash(out.strip().encode()),))


@pytest.mark.parametrize("name", ["people", "night-shift"])
@pytest.mark.parametrize("before", [None, "", "callers = []\n", "# ours\nrate_limit = 5\n"])
def test_the_first_class_is_made(run: Run, before: str | None, name: str) -> None:
    """As an empty table with examples, and stderr says so; any other class must be in the file."""
    if before is not None:
        Path("callers.toml").write_text(before)
    status, out, err = run("new", "dev-07", "--class", name, "--callers-file", "callers.toml")
    assert (status, contains_token(out.strip().encode())) == (0, True)
    assert f"callers.toml had no classes: [classes.{name}] is new; set its terms" in err
    found = tomllib.loads(Path("callers.toml").read_text())
    assert (found["classes"], found["callers"][0]["class"]) == ({name: {}}, name)
    assert "# rate_limit = 10" in Path("callers.toml").read_text()
    status, _, err = run("new", "dev-08", "--class", f"{name}s", "--callers-file", "callers.toml")
    assert (status, f"did you mean {name}?" in err, len(callers())) == (2, True, 1)


def test_what_is_in_the_file_stays(run: Run) -> None:
    """Comments and order, its mode, and a symbolic link to it."""
    text = "# ours\n[classes.people]\nrate_limit = 5  # enough\n"
    Path("real.toml").write_text(text)
    Path("real.toml").chmod(0o640)
    Path("callers.toml").symlink_to("real.toml")
    run("new", "dev-07", "--class", "people", "--callers-file", "callers.toml")
    assert Path("callers.toml").is_symlink()
    assert Path("real.toml").read_text().startswith(text)
    assert stat.S_IMODE(Path("real.toml").stat().st_mode) == 0o640
    assert sorted(each.name for each in Path().iterdir()) == ["callers.toml", "real.toml"]


def test_a_second_token_has_to_be_meant(run: Run) -> None:
    """A name that is taken is more often a mistake."""
    file = ("--callers-file", "callers.toml")
    _, first, _ = run("new", "dev-07", *file)
    status, out, err = run("new", "dev-07", *file)
    assert (status, out) == (2, "")
    assert "--add" in err
    _, second, _ = run("new", "dev-07", "--add", *file)
    hashes = [token_hash(token.strip().encode()) for token in (second, first)]
    assert callers()[0]["token_sha256"] == hashes
    assert run("revoke", "dev-07", "--hash", hashes[1][:12], *file)[0] == 0
    assert callers()[0]["token_sha256"] == hashes[:1]


def test_revoked_is_gone(run: Run) -> None:
    """The last caller leaves a list that is empty, not a bridge that is open to all."""
    run("new", "dev-07", "--callers-file", "callers.toml")
    status, out, err = run("revoke", "dev-07", "--callers-file", "callers.toml")
    assert (status, out) == (0, "")
    assert "aibridge reload" in err
    assert callers() == []
    assert load({"callers_file": "callers.toml"}, {}).settings.callers_required
    assert load({"config": "callers.toml"}, {}).settings.callers_required


def test_the_list_shows_no_whole_hash(run: Run) -> None:
    """A weak token could be guessed from its whole hash."""
    file = ("--callers-file", "callers.toml")
    run("new", "dev-07", *file)
    run("new", "ci", "--expires", "2020-01-31", *file)
    with Path("callers.toml").open("a") as out:
        out.write('\n[[callers]]\nname = "laptop"\ncertificate = "laptop.example"\n')
    first, second = (each["token_sha256"][:12] for each in callers()[:2])
    assert run("list", *file)[1].splitlines() == [
        "name    class  expires     token                       state",
        f"dev-07  -      -           {first}                valid",
        f"ci      -      2020-01-31  {second}                expired",
        "laptop  -      -           certificate laptop.example  valid",
    ]
    rows = json.loads(run("list", "--json", *file)[1])
    assert rows[1] == {"name": "ci", "class": None, "expires": "2020-01-31", "token": second, "state": "expired"}


def test_the_file_is_found_from_the_configuration(run: Run) -> None:
    """Its `callers_file`, else the configuration itself, which may list callers too."""
    Path("aibridge.toml").write_text('callers_file = "callers.toml"\n')
    assert run("new", "dev-07", "--config", "aibridge.toml")[0] == 0
    assert callers()[0]["name"] == "dev-07"
    Path("own.toml").write_text("rate_limit = 5\n")
    assert run("new", "dev-08", "--config", "own.toml")[0] == 0
    assert callers("own.toml")[0]["name"] == "dev-08"
    assert load({"config": "own.toml"}, {}).settings.known_callers.callers[0].name == "dev-08"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new"], "NAME: a value is missing; write e.g. aibridge token new dev-07"),
        (["new", "a b"], 'the entry:2:1: [[callers]] name: "a b" is not a name'),
        (["new", "x", "--expires", "soon"], '--expires: "soon" is not a date; write e.g. --expires 2027-03-31'),
        (["new", "x", "--class", "a b", "--callers-file", "f"], '"a b" is not a class\'s name'),
        (["new", "x", "--add"], "--add: no file is named; add --callers-file FILE"),
        (["new", "x", "--add", "--callers-file", "f"], "x is not in f; write it without --add"),
        (["revoke", "x"], "no file is named; add --callers-file FILE or --config FILE"),
        (["revoke", "x", "--callers-file", "f"], "x is not in f; aibridge token list shows who is"),
        (["list", "x", "--callers-file", "f"], '"x": one argument too many; list shows every caller'),
        (
            ["list", "--callers-file", "f"],
            "f cannot be read: No such file or directory; name a readable TOML file",
        ),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(run: Run, arguments: list[str], said: str) -> None:
    """And change nothing."""
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert list(Path().iterdir()) == []


def test_an_invalid_file_is_left_alone(run: Run) -> None:
    """The line that is wrong is named."""
    text = '[[callers]]\nname = "x"\ntoken = "y"\n'
    Path("callers.toml").write_text(text)
    status, out, err = run("new", "dev-07", "--callers-file", "callers.toml")
    assert (status, out) == (2, "")
    assert "callers.toml:3:1" in err
    assert Path("callers.toml").read_text() == text


def test_a_folder_that_cannot_be_written_is_a_failure(run: Run) -> None:
    """No token is printed that is not listed."""
    status, out, err = run("new", "dev-07", "--callers-file", "nowhere/callers.toml")
    assert (status, out) == (1, "")
    assert "nowhere/callers.toml cannot be written: No such file or directory" in err


def test_several_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each waits for the one before it."""
    file = tmp_path / "callers.toml"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
    made = [
        subprocess.Popen(
            [sys.executable, "-m", "aibridge_trio", "token", "new", f"dev-{n}", "--callers-file", str(file)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for n in range(5)
    ]
    tokens = [each.communicate(timeout=60)[0].strip() for each in made]
    listed = {entry["token_sha256"] for entry in callers(str(file))}
    assert listed == set(map(token_hash, tokens))
