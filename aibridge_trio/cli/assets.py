"""Completion scripts, man pages and schemas, which are installed in the package or lie beside it in a checkout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from aibridge_trio.config.unit import nearest
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.printable import quoted

SCRIPTS = {"bash": "aibridge.bash", "zsh": "_aibridge", "fish": "aibridge.fish"}

_PACKAGE = Path(__file__).parents[1]
# The loader reads files of the package wherever it is; in the binary that is a zip.
_read: Callable[[str], bytes] = globals()["__loader__"].get_data


def script(shell: str) -> str:
    """Return a shell's completion script. Raises CommandError if it is not installed."""
    return _text("completions", SCRIPTS[shell])


def json_schema(file: str) -> str:
    """Return the JSON Schema of `aibridge.toml` or `callers.toml`. Raises CommandError if it is not installed."""
    return _text("schemas", f"{file.removesuffix('.toml')}.schema.json")


def man_page(topic: str, topics: Sequence[str]) -> str:
    """Return a man page's source. Raises UsageError for an unknown topic, CommandError if it is not installed."""
    if topic not in topics:
        near = nearest(topic, topics)
        remedy = f"did you mean {near}?" if near else f"there are {', '.join(topics)}"
        raise UsageError(f"PAGE: there is none on {quoted(topic)}; {remedy}")
    return _text("man", man_name(topic))


def man_name(topic: str) -> str:
    """Return the file name of the man page of `aibridge`, `aibridge.toml` or a command."""
    return {"aibridge": "aibridge.1", "aibridge.toml": "aibridge.toml.5"}.get(topic, f"aibridge-{topic}.1")


def _text(folder: str, name: str) -> str:
    for place in (_PACKAGE, _PACKAGE.parent):
        with suppress(OSError):
            return _read(str(place / folder / name)).decode()
    raise CommandError(f"{folder}/{name} was not installed with aibridge; install it again")
