"""The completion script of zsh."""

from __future__ import annotations

from pathlib import Path

from tests.support.completion import TEXT, TREE, offers_all
from tests.support.shells import Zsh
from tools.reference.zsh import script


def test_a_script_offers_what_is_in_the_tree(tmp_path: Path) -> None:
    """Commands, flags that are not given yet, and values; any characters of texts arrive as they were written."""
    (tmp_path / "_aibridge").write_text(script(TREE))
    offers_all(Zsh, "autoload -Uz compinit; compinit -u -D; source ./_aibridge", tmp_path, TEXT)


def test_a_script_is_the_same_for_the_same_tree() -> None:
    """It depends on nothing else, and ends with a newline."""
    assert script(TREE) == script(TREE)
    assert script(TREE).endswith("\n")
