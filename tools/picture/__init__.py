"""docs/top.svg: `aibridge top` during a provider's outage, drawn from a recorded run.

`record` runs a bridge in front of mock providers and writes recording.jsonl; `draw` makes a frame of that, as the
dashboard does, and exports it as SVG.
"""

from __future__ import annotations

from pathlib import Path

from tools.picture.draw import svg
from tools.picture.recording import load

PATH = "docs/top.svg"
_ROOT = Path(__file__).parents[2]


def generated() -> str:
    """Return the SVG's text."""
    return svg(load())


def outdated(root: Path = _ROOT) -> bool:
    """Tell whether the SVG is missing or differs from what the recording gives."""
    file = root / PATH
    return not file.is_file() or file.read_bytes() != generated().encode()


def write(root: Path = _ROOT) -> None:
    """Write the SVG."""
    (root / PATH).write_text(generated(), encoding="utf-8", newline="\n")
