"""A small command line, and the laws that every shell's completion script of it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.shells import Shell
from tools.reference.tree import Branch, Flag, Place, Tree

# Characters that shells read in their own ways.
TEXT = """It's "a" [b] (c) {d} <e> $HOME `f` $(g) \\\\h \\:i j:k *? ~ # & ; | ! %m %%"""
TREE = Tree(
    {"go": TEXT},
    Branch(("",), (), (Place("command", ("go",)),)),
    (
        Branch(
            ("go",),
            (Flag({"--url": TEXT}, Place("a:b", ())), Flag({"--on": TEXT, "--no-on": TEXT})),
            (Place("mode: [it's]", ("open", "close")),),
        ),
    ),
)


def offers_all(start: Callable[[Path, str], Shell], load: str, folder: Path, shown: str) -> None:
    """Load a script of TREE, and hold what it offers to the tree; candidates are `shown` with this text."""
    shell = start(folder, load)
    try:
        assert shell.offers("aibridge ") == {"go": shown}
        assert shell.offers("aibridge go -") == {"--url": shown, "--on": shown, "--no-on": shown}
        assert set(shell.offers("aibridge go ")) == {"open", "close"}
        assert set(shell.offers("aibridge go --on --")) == {"--url"}
        assert set(shell.offers("aibridge go --url x c")) == {"close"}
    finally:
        shell.close()
