"""A frame of `aibridge top` as SVG."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from aibridge_trio.top.data.history import History
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.view import View

# The width of the page that shows it, in CSS pixels: a README's column.
_PAGE = 880
# Cells. From 100 columns on, the dashboard shows all columns of the providers' table.
_COLUMNS, _LINES = 104, 31
_URL = "http://127.0.0.1:4002"
# The dashboard's interval for rates (seconds).
_INTERVAL = 10.0
# A dark terminal, which is readable on light and dark pages; normal colors, then bright ones.
_THEME = TerminalTheme(
    (13, 17, 23),
    (222, 227, 233),
    [
        (48, 54, 61),
        (255, 107, 98),
        (86, 211, 100),
        (235, 190, 70),
        (108, 182, 255),
        (220, 160, 255),
        (86, 212, 221),
        (222, 227, 233),
    ],
    [
        (110, 118, 129),
        (255, 107, 98),
        (86, 211, 100),
        (235, 190, 70),
        (108, 182, 255),
        (220, 160, 255),
        (86, 212, 221),
        (255, 255, 255),
    ],
)
# Rich's own format loads web fonts; this one uses the fonts of the machine that shows it.
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" width="%d" viewBox="0 0 {width} {height}" role="img">
<title>aibridge top during an outage</title>
<style>
.{unique_id}-matrix {{
font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(documents: Iterable[Any]) -> str:
    """Draw the dashboard as it looks when the last of these status documents arrives."""
    history = History()
    now = 0.0
    for document in documents:
        now = document["uptime_s"]
        history.add(read(document), now)
    drawn = frame(history.picture(_INTERVAL), View(), Link(_URL), Canvas(_COLUMNS, _LINES, zone=UTC), now)
    console = Console(
        record=True,
        file=io.StringIO(),
        width=_COLUMNS,
        height=_LINES,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        highlight=False,
        _environ={},
    )
    console.print(drawn, end="")
    text = console.export_svg(
        title="aibridge top", theme=_THEME, code_format=_FORMAT % _PAGE, unique_id="aibridge-top"
    )
    return "".join(f"{line.strip()}\n" for line in text.splitlines() if line.strip())
