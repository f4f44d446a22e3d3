"""The progress line."""

from __future__ import annotations

from io import StringIO

from aibridge_trio.simulate.results.progress import Progress


class Terminal(StringIO):
    """A terminal, as far as it says so itself."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_goes_away() -> None:
    """Each text covers the one before it, and at the end there is nothing."""
    terminal, pipe = Terminal(), StringIO()
    for stream in (terminal, pipe, None):
        with Progress(stream) as progress:
            progress.show("a longer one")
            progress.show("short")
    assert terminal.getvalue() == "\ra longer one\rshort       \r     \r"
    assert pipe.getvalue() == ""
