"""How a help page looks: plain text, at most 80 columns, no control codes.

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

# The library's own words for its own flags are not in our voice.
_OURS = {"--help": "Show this page; after a command, the command's.", "--version": "Show the version."}

# How the first page ends: the shortest way from nothing to a client that works, and where to read on.
LEADS = """\
Start
  aibridge serve --circuit-breaker
  ANTHROPIC_BASE_URL=http://127.0.0.1:4001/anthropic claude

More
  aibridge COMMAND --help    a command's options
  man aibridge               everything; also: aibridge man | man -l -"""


class Page:
    """Usage, description, then a block per group: each option on a line, what it does indented below."""

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write the line that shows how the command is put together."""
        _write(console, f"Usage: {_plain(usage)}")

    def render_description(self, console: Any, options: Any, description: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write what the command does, a paragraph after the other."""
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
            text = _OURS.get(labels[0]) or _plain(entry.description) or ", ".join(entry.choices or ())
            if panel.format == "command":
                label = f"  {', '.join(labels):<{_LABEL}}  "
                lines.append(_filled(text, label, " " * len(label)))
            else:
                lines += definition(", ".join(entry.display_labels_with_metavar), text)
        _write(console, "\n" + block(panel.title, lines).rstrip())


def block(title: str, lines: Iterable[str]) -> str:
    """A title, what stands under it, and an empty line."""
    return "\n".join([title, *lines, "", ""])


def definition(term: str, text: str) -> list[str]:
    """A term, and below it what it means."""
    return [f"  {term}", *(_filled(line, " " * 6, " " * 6) for line in text.splitlines())]


def usual(option: Option) -> str | None:
    """Its default as a reader is told it: a switch is `off`; one that only its flag switches on needs no word."""
    if option.switch:
        return {"true": "on", "false": "off"}[str(option.default)] if option.variables else None
    return option.default or None


def facts(option: Option) -> str:
    """Default and variables, `[default 10s, AIBRIDGE_CIRCUIT_BREAKER_WINDOW]`; empty if there are none."""
    default = usual(option)
    told = ", ".join([*([f"default {default}"] if default else []), *option.all_variables])
    return f"[{told}]" if told else ""


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
    """The words of a description, which cyclopts wraps in objects of rich."""
    return str(getattr(text, "primary_renderable", text or "")).strip()


def _write(console: Any, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
