"""The completion scripts, from the command line as cyclopts knows it.

cyclopts 5.4 writes scripts itself, but they do not hold what its test asks. In bash a file's
name ends at a space, and `http://host:1` is three arguments; in zsh `--url=...` is an argument, and the file needs
another name; in fish files are offered everywhere; in all three a switch swallows the word behind it, and what is
given is offered again. To mend that in their text would be more than to write it, so only the tree of commands,
flags and types is theirs.
"""

from __future__ import annotations

from aibridge_trio.cli.assets import SCRIPTS
from aibridge_trio.cli.main import commands
from aibridge_trio.cli.parser import app
from tools.reference import bash, fish, zsh
from tools.reference.tree import tree


def scripts() -> dict[str, str]:
    """Return each script by its path in the repository."""
    whole = tree(app(commands(), candidates=True))
    texts = {"bash": bash.script(whole), "zsh": zsh.script(whole), "fish": fish.script(whole)}
    return {f"completions/{SCRIPTS[shell]}": text for shell, text in texts.items()}
