"""The command line as a tree for completion."""

from __future__ import annotations

import re

from aibridge_trio.cli.main import commands
from aibridge_trio.cli.parser import app
from tools.reference.tree import Branch, Flag, Place, quoted, tree


def test_words_are_plain() -> None:
    """No candidate has a character that a shell would take for its own."""
    whole = tree(app(commands(), candidates=True))
    for branch in (whole.trunk, *whole.branches):
        words = [*branch.commands, *(word for _, place in branch.values for word in place.words)]
        words += [name for flag in branch.flags for name in flag.names]
        assert all(re.fullmatch(r"[a-z0-9.-]*|[a-z0-9_]+=[a-z]*", word) for word in words)


def test_a_branch_has_its_values_by_flag_and_by_number() -> None:
    """Behind a flag's name, or by its number among the arguments; switches have none."""
    mode, url = Place("mode", ("open",)), Place("url", ())
    flags = (
        Flag({"--url": ""}, url),
        Flag({"--on": "", "--no-on": ""}),
        Flag({"--fail": ""}, url, repeatable=True),
    )
    branch = Branch(("go",), flags, (mode, mode))
    assert list(branch.values) == [("--url", url), ("--fail", url), ("1", mode), ("2", mode)]
    assert (branch.valued, branch.repeatable) == (("--url", "--fail"), ("--fail",))


def test_text_is_quoted_as_one_word() -> None:
    """An apostrophe ends and begins the quotation."""
    assert quoted("it's $HOME") == r"'it'\''s $HOME'"
