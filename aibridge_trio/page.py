"""How a help page looks: plain text, at most 80 columns, no control codes.

A formatter for cyclopts, which calls it with rich's console; neither is imported.
"""

from __future__ import annotations

import textwrap
from typing import Any

_WIDTH = 80
_LABEL = 12


class Page:
    """Usage, description, then a block per group: each option on a line, what it does indented below."""

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:  # noqa: ARG002 - cyclopts' names
        """Write the line that shows how the command is put together."""
        _write(console, f"Usage: {_plain(usage)}")

    def render_description(self, console: Any, options: Any, description: Any) -> None:  # noqa: ARG002
        """Write what the command does."""
        if text := _plain(description):
            _write(console, "\n" + _filled(text, "", ""))

    def __call__(self, console: Any, options: Any, panel: Any) -> None:  # noqa: ARG002
        """Write one group of commands or options."""
        if not panel.entries:
            return
        lines = ["", panel.title]
        for entry in panel.entries:
            text = _plain(entry.description) or ", ".join(entry.choices or ())
            if panel.format == "command":
                label = f"  {', '.join(entry.display_labels):<{_LABEL}}  "
                lines.append(_filled(text, label, " " * len(label)))
            else:
                lines += definition(", ".join(entry.display_labels_with_metavar), text)
        _write(console, "\n".join(lines))


def definition(term: str, text: str) -> list[str]:
    """A term, and below it what it means."""
    return [f"  {term}", *(_filled(line, " " * 6, " " * 6) for line in text.splitlines())]


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
