from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tools import reference


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The generator in a process of its own."""
    command = [sys.executable, "-m", "tools.reference", *arguments]
    return subprocess.run(
        command, env=os.environ | environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_repository_holds_what_the_code_says() -> None:
    """Every generated file is in the repository, byte for byte; else run python -m tools.reference."""
    assert reference.outdated() == []


def test_nothing_else_lies_beside_the_generated_files() -> None:
    """A file that is no longer generated is no longer there."""
    root = Path(__file__).parents[3]
    folders = {Path(path).parent for path in reference.generated()}
    assert folders == {Path("completions"), Path("man"), Path("schemas")}
    found = {str(file.relative_to(root)) for folder in folders for file in (root / folder).iterdir()}
    assert found == set(reference.generated())


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_run_gives_the_same(seed: str) -> None:
    """Two processes generate the same bytes, and --check is silent about them."""
    checked = run("--check", PYTHONHASHSEED=seed)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_what_differs_is_named(tmp_path: Path) -> None:
    """What is missing or differs by a byte is out of date, and nothing else; to write mends it."""
    every = list(reference.generated())
    assert reference.outdated(tmp_path) == every
    reference.write(tmp_path)
    assert reference.outdated(tmp_path) == []
    (tmp_path / every[0]).unlink()
    with (tmp_path / every[-1]).open("a") as file:
        file.write("\n")
    assert reference.outdated(tmp_path) == [every[0], every[-1]]
    reference.write(tmp_path)
    assert reference.outdated(tmp_path) == []


def test_check_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --check the files are written; with it the outdated ones are named, and how to mend them."""
    written = []
    monkeypatch.setattr(reference, "write", lambda: written.append("all"))
    monkeypatch.setattr(reference, "outdated", lambda: ["man/a.1", "man/b.1"])
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match=r"^out of date: man/a\.1, man/b\.1; run python -m tools\.reference$"):
        runpy.run_module("tools.reference", run_name="__main__")
    assert written == []
    monkeypatch.setattr(sys, "argv", ["reference", "--help"])
    with pytest.raises(SystemExit, match=r"^usage: "):
        runpy.run_module("tools.reference", run_name="__main__")
    assert written == []
    monkeypatch.setattr(sys, "argv", ["reference"])
    runpy.run_module("tools.reference", run_name="__main__")
    assert written == ["all"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_says_where_it_goes(shell: str) -> None:
    """The first lines of each completion script have the commands that install it, and who made it."""
    [script] = [text for path, text in reference.completions.scripts().items() if f" for {shell}. " in text]
    head = "\n".join(line for line in script.splitlines()[:5] if line.startswith("#"))
    assert f"aibridge completion {shell} > ~/" in head
    assert "python -m tools.reference" in head
