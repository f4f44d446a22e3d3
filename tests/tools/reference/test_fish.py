"""The completion script of fish."""

from __future__ import annotations

from pathlib import Path

from tests.support.completion import TEXT, TREE, offers_all
from tests.support.shells import Fish
from tools.reference.fish import script


def test_a_script_offers_what_is_in_the_tree(tmp_path: Path) -> None:
    """Commands, flags that are not given yet, and values; any characters of texts arrive as they were written."""
    (tmp_path / "aibridge.fish").write_text(script(TREE))
    offers_all(Fish, "source aibridge.fish", tmp_path, TEXT)


def test_a_script_is_the_same_for_the_same_tree() -> None:
    """It depends on nothing else, and ends with a newline."""
    assert script(TREE) == script(TREE)
    assert script(TREE).endswith("\n")
