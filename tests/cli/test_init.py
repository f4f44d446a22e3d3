"""`aibridge init`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from aibridge_trio.cli import init
from aibridge_trio.cli import main as cli
from aibridge_trio.config.loader import load
from aibridge_trio.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory with a key, and no variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "openai.key").write_text("sk-canary")
    (tmp_path / "openai.key").chmod(0o600)
    return tmp_path


def error(capsys: pytest.CaptureFixture[str], *flags: str, status: int = 2) -> str:
    """The error of a command line."""
    assert cli.main(["init", *flags]) == status
    return capsys.readouterr().err


def test_flags_answer_without_a_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file loads, holds no key, and says what comes next; the callers' file is its owner's."""
    flags = ["--openai-key-file", "openai.key", "--provider", "vllm=http://127.0.0.1:8000/v1", "--adaptive"]
    assert cli.main(["init", *flags, "--callers-file", "callers.toml", "--bind", "0.0.0.0:4001"]) == 0
    out = capsys.readouterr().out
    assert "aibridge check --config aibridge.toml" in out
    assert "aibridge token new NAME --callers-file callers.toml" in out
    settings = load({"config": "aibridge.toml"}, {}).settings
    assert settings.adaptive
    assert settings.callers_required
    assert [table.name for table in settings.provider_tables] == ["openai", "vllm"]
    assert "canary" not in (here / "aibridge.toml").read_text()
    assert (here / "callers.toml").stat().st_mode & 0o777 == 0o600
    assert (here / "aibridge.toml").stat().st_mode & 0o777 == 0o644
    assert cli.main(["check", "--config", "aibridge.toml"]) == 0


def test_a_file_is_replaced_only_by_force(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be an operator's work; a file of callers is never replaced."""
    (here / "aibridge.toml").write_text("# mine")
    (here / "callers.toml").write_text("# mine")
    assert error(capsys) == ('aibridge: --output: "aibridge.toml" exists; name another, or add --force\n')
    assert (here / "aibridge.toml").read_text() == "# mine"
    assert cli.main(["init", "--force", "--callers-file", "callers.toml"]) == 0
    assert (here / "aibridge.toml").read_text() != "# mine"
    assert (here / "callers.toml").read_text() == "# mine"


def test_nothing_is_left_of_a_file_that_would_not_load(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is the loader's, about the file that was to be."""
    assert "aibridge.toml:" in error(capsys, "--openai-key-file", "/nonexistent", "--callers-file", "c.toml")
    assert "--allow-anonymous" in error(capsys, "--openai-key-file", "openai.key", "--bind", "0.0.0.0:4001")
    assert "no provider" in error(capsys, "--provider-key-file", "azure=openai.key")
    assert [each.name for each in here.iterdir()] == ["openai.key"]


def test_a_folder_that_does_not_exist_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """At run time, in a line."""
    assert "cannot be written: No such file" in error(capsys, "--output", "nowhere/a.toml", status=1)


def test_questions_are_asked_on_a_terminal(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer is asked for again, and an empty one is the default."""
    answers = iter(
        [
            *("sk-canary", "openai.key", ""),
            *("vllm", "vllm=http://127.0.0.1:8000/v1", ""),
            *("azure=https://x.example/v1", "missing.key", "openai.key", ""),
            *("openai.key", "", "maybe", "yes", ""),
        ]
    )
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    assert cli.main(["init"]) == 0
    assert len(asked) == len(init.QUESTIONS) + 9
    assert '"vllm" is not NAME=URL; write e.g. azure=https://x.example/v1\n' in asked[4]
    assert asked[1].startswith("the file cannot be read: ")
    assert asked[7].startswith("azure: a file")
    assert asked[8].startswith("the file cannot be read: ")
    assert asked[11].startswith("the file is not TOML: ")
    assert not any("canary" in question for question in asked)
    settings = load({"config": str(here / "aibridge.toml")}, {}).settings
    tables = settings.provider_tables
    assert [(table.name, len(table.keys)) for table in tables] == [("openai", 1), ("vllm", 0), ("azure", 1)]
    assert settings.adaptive
    assert not settings.known_callers


def test_answers_that_end_write_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D is a way out."""

    def ends(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", ends)
    with pytest.raises(CommandError, match="nothing was written"):
        init.asked(init._prompt)
    assert [each.name for each in here.iterdir()] == ["openai.key"]
