from __future__ import annotations

from types import SimpleNamespace

from aibridge_trio.page import Page, definition


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
    entry = SimpleNamespace(description=None, choices=("open", "close"), display_labels_with_metavar=("MODE",))
    Page()(console, None, SimpleNamespace(entries=[entry], title="Arguments", format="parameter"))
    assert console.text == "\nArguments\n  MODE\n      open, close\n"
