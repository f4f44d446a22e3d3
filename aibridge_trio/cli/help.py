"""The format of help pages: plain text, at most 80 columns, no control codes.

A formatter for cyclopts, which calls it with rich's console; neither is imported.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aibridge_trio.config.settings import Option

_WIDTH = 80
_LABEL = 12

# Texts for the flags that cyclopts adds.
_LIBRARY_FLAGS = {"--help": "Show this page; after a command, the command's.", "--version": "Show the version."}

# The end of the first page: how to start a bridge and a client, and where to read more.
EPILOGUE = """\
Start
  aibridge serve --circuit-breaker
  ANTHROPIC_BASE_URL=http://127.0.0.1:4001/anthropic claude

More
  aibridge COMMAND --help    a command's options
  man aibridge               everything; also: aibridge man | man -l -"""


class Page:
    """Formats usage, description, and a block per group: each option on a line, its help indented below."""

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write the usage line."""
        _write(console, f"Usage: {_plain(usage)}")

    def render_description(self, console: Any, options: Any, description: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write the description, paragraph by paragraph."""
        for paragraph in _plain(description).split("\n\n"):
            if paragraph:
                _write(console, "\n" + _filled(paragraph, "", ""))

    def __call__(self, console: Any, options: Any, panel: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write one group of commands or options."""
        if not panel.entries:
            return
        lines: list[str] = []
        for entry in panel.entries:
            labels = entry.display_labels
            text = _LIBRARY_FLAGS.get(labels[0]) or _plain(entry.description) or ", ".join(entry.choices or ())
            if panel.format == "command":
                label = f"  {', '.join(labels):<{_LABEL}}  "
                lines.append(_filled(text, label, " " * len(label)))
            else:
                lines += definition(", ".join(entry.display_labels_with_metavar), text)
        _write(console, "\n" + block(panel.title, lines).rstrip())


def block(title: str, lines: Iterable[str]) -> str:
    """Return a title, its lines, and an empty line."""
    return "\n".join([title, *lines, "", ""])


def definition(term: str, text: str) -> list[str]:
    """Return a term, and its text indented below it."""
    return [f"  {term}", *(_filled(line, " " * 6, " " * 6) for line in text.splitlines())]


def usual(option: Option) -> str | None:
    """Return the default as help shows it: a switch is `on` or `off`, None if only its flag sets it."""
    if option.switch:
        return {"true": "on", "false": "off"}[str(option.default)] if option.variables else None
    return option.default or None


def facts(option: Option) -> str:
    """Return default and variables, `[default 10s, AIBRIDGE_CIRCUIT_BREAKER_WINDOW]`, or "" if there are none."""
    default = usual(option)
    text = ", ".join([*([f"default {default}"] if default else []), *option.all_variables])
    return f"[{text}]" if text else ""


def _filled(text: str, first: str, rest: str) -> str:
    wrapper = textwrap.TextWrapper(
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.fill(" ".join(text.split()))


def _plain(text: Any) -> str:
    """Return the text of a description, which cyclopts wraps in a renderable of rich."""
    return str(getattr(text, "primary_renderable", text or "")).strip()


def _write(console: Any, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
