from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aibridge_trio.cli.help import Page, definition, facts
from aibridge_trio.config.settings import Option
from aibridge_trio.config.units import BOOLEAN, COUNT, Unit


class Console:
    """Keeps what is printed."""

    def __init__(self) -> None:
        self.text = ""

    def print(self, text: str, **_: object) -> None:
        self.text += text + "\n"


def test_a_definition_is_wrapped_below_its_term() -> None:
    """A term keeps its line; what it means is indented, at most 80 columns wide, each line of its own."""
    lines = "\n".join(definition("--x FILE", "word " * 40 + "\n[default 1]")).splitlines()
    assert lines[0] == "  --x FILE"
    assert lines[-1] == "      [default 1]"
    assert all(line.startswith("      ") and len(line) <= 80 for line in lines[1:])


def test_a_long_word_is_not_broken() -> None:
    """URLs and variables are never cut, so that they can be copied."""
    assert "x-" * 60 in definition("t", "x-" * 60)[1]


def test_an_empty_group_is_not_shown() -> None:
    """A group without entries leaves no title behind."""
    console = Console()
    Page()(console, None, SimpleNamespace(entries=[], title="Commands"))
    assert console.text == ""


def test_choices_stand_in_for_a_missing_description() -> None:
    """An argument without help shows what it may be."""
    console = Console()
    labels = ("MODE",)
    entry = SimpleNamespace(
        description=None, choices=("open", "close"), display_labels=labels, display_labels_with_metavar=labels
    )
    Page()(console, None, SimpleNamespace(entries=[entry], title="Arguments", format="parameter"))
    assert console.text == "\nArguments\n  MODE\n      open, close\n"


def test_paragraphs_stay_apart() -> None:
    """The description keeps its paragraphs, with an empty line before each."""
    console = Console()
    Page().render_description(console, None, "One\ntwo.\n\nThree.")
    assert console.text == "\nOne two.\n\nThree.\n"


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_the_librarys_flags_speak_our_language(flag: str) -> None:
    """What cyclopts says of its own flags is not shown."""
    console = Console()
    entry = SimpleNamespace(description="Display this message and exit.", choices=(), display_labels=(flag, "-x"))
    Page()(console, None, SimpleNamespace(entries=[entry], title="Options", format="command"))
    title, line = console.text.strip().splitlines()
    assert (title, line.split()[:3]) == ("Options", [f"{flag},", "-x", "Show"])
    assert "Display" not in line


@pytest.mark.parametrize(
    ("unit", "default", "variables", "told"),
    [
        (COUNT, "0", ("A_B", "C_D"), "[default 0, A_B, C_D]"),
        (COUNT, None, ("A_B",), "[A_B]"),
        (COUNT, "", (), ""),
        (COUNT, "5", (), "[default 5]"),
        (BOOLEAN, "false", ("A_B",), "[default off, A_B]"),
        (BOOLEAN, "true", ("A_B",), "[default on, A_B]"),
        (BOOLEAN, "false", (), ""),
    ],
)
def test_facts_are_default_and_variables(
    unit: Unit[Any], default: str | None, variables: tuple[str, ...], told: str
) -> None:
    """A switch is on or off; one that nothing but its flag switches on has nothing to tell."""
    assert facts(Option(name="x", unit=unit, default=default, help="", variables=variables)) == told
