from __future__ import annotations

import json
from pathlib import Path

import pytest

from aibridge_trio.cli import assets
from aibridge_trio.cli import main as cli
from aibridge_trio.errors import UsageError

ROOT = Path(__file__).parents[2]
TOPICS = ["aibridge", "serve", "breaker", "aibridge.toml"]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """The folders that are looked into: the package, and what is beside it."""
    package = tmp_path / "aibridge_trio"
    monkeypatch.setattr(assets, "_PACKAGE", package)
    return package, tmp_path


def lay(folder: Path, name: str, text: str) -> None:
    """Put a file there."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "aibridge.bash"), ("zsh", "_aibridge"), ("fish", "aibridge.fish")]
)
def test_completion_prints_what_lies_in_the_repository(
    shell: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`aibridge completion SHELL` prints completions/NAME, byte for byte."""
    assert cli.main(["completion", shell]) == 0
    assert capsys.readouterr().out.encode() == (ROOT / "completions" / name).read_bytes()


def test_man_prints_what_lies_in_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    """`aibridge man PAGE` prints a command's page, the file's or the whole's, and without PAGE the last."""
    names = [command.name for command in cli.commands()]
    pages = {"aibridge": "aibridge.1", "aibridge.toml": "aibridge.toml.5"}
    for page, name in (pages | {name: f"aibridge-{name}.1" for name in names}).items():
        assert cli.main(["man", page]) == 0
        assert capsys.readouterr().out.encode() == (ROOT / "man" / name).read_bytes()
    cli.main(["man"])
    assert capsys.readouterr().out.encode() == (ROOT / "man/aibridge.1").read_bytes()


def test_installed_files_come_first(places: tuple[Path, Path]) -> None:
    """A file inside the package is taken before the one beside it, which a checkout has."""
    package, beside = places
    lay(beside, "completions/_aibridge", "checkout")
    lay(beside, "man/aibridge.1", "checkout")
    assert (assets.script("zsh"), assets.man_page("aibridge", TOPICS)) == ("checkout", "checkout")
    lay(package, "completions/_aibridge", "installed é")
    lay(package, "man/aibridge.1", "installed é")
    assert (assets.script("zsh"), assets.man_page("aibridge", TOPICS)) == ("installed é", "installed é")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["completion", "bash"], "completions/aibridge.bash"),
        (["man"], "man/aibridge.1"),
        (["man", "serve"], "man/aibridge-serve.1"),
        (["man", "aibridge.toml"], "man/aibridge.toml.5"),
    ],
)
def test_a_missing_file_is_named(
    places: tuple[Path, Path], arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a file was not installed, the answer is one line that names it and what to do, and exit status 1."""
    assert cli.main(arguments) == 1
    assert capsys.readouterr() == ("", f"aibridge: {name} was not installed with aibridge; install it again\n")


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("sreve", 'PAGE: there is none on "sreve"; did you mean serve?'),
        ("aibridge.tml", 'PAGE: there is none on "aibridge.tml"; did you mean aibridge.toml?'),
        ("../serve", 'PAGE: there is none on "../serve"; did you mean serve?'),
        ("x", 'PAGE: there is none on "x"; there are aibridge, serve, breaker, aibridge.toml'),
        ("\n", r'PAGE: there is none on "\n"; there are aibridge, serve, breaker, aibridge.toml'),
    ],
)
def test_an_unknown_page_is_a_mistake(topic: str, said: str) -> None:
    """A page that there is not is answered with the one that was meant, or all there are."""
    with pytest.raises(UsageError) as mistake:
        assets.man_page(topic, TOPICS)
    assert str(mistake.value) == said


def test_an_unknown_page_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line it is wrong usage."""
    assert cli.main(["man", "sreve"]) == 2
    assert capsys.readouterr() == ("", 'aibridge: PAGE: there is none on "sreve"; did you mean serve?\n')


@pytest.mark.parametrize("file", ["aibridge.toml", "callers.toml"])
def test_a_schema_is_the_generated_one(file: str) -> None:
    """For the configuration file, and for the callers' file."""
    assert json.loads(assets.json_schema(file))["title"] == file
