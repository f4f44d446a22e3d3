"""The completion script of bash."""

from __future__ import annotations

from pathlib import Path

from tests.support.completion import TREE, offers_all
from tests.support.shells import Bash
from tools.reference.bash import script


def test_a_script_offers_what_is_in_the_tree(tmp_path: Path) -> None:
    """Commands, flags that are not given yet, and values; bash shows no texts, whatever characters are in them."""
    (tmp_path / "aibridge.bash").write_text(script(TREE))
    offers_all(Bash, "source aibridge.bash", tmp_path, "")


def test_a_script_is_the_same_for_the_same_tree() -> None:
    """It depends on nothing else, and ends with a newline."""
    assert script(TREE) == script(TREE)
    assert script(TREE).endswith("\n")
