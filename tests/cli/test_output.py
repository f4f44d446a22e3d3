"""What commands print."""

from __future__ import annotations

import io

import pytest

from aibridge_trio.admin.orders import Outcome
from aibridge_trio.cli.output import print_error, print_line, print_outcome
from aibridge_trio.errors import CommandError


def test_what_the_encoding_lacks_is_escaped() -> None:
    """In place of an error."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_line("ä → b", stream)
    stream.flush()
    assert raw.getvalue() == b"\\xe4 \\u2192 b\n"


def test_what_was_done_is_printed_before_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each replica, then the error."""
    with pytest.raises(CommandError, match="not done"):
        print_outcome(Outcome(["a: done"], CommandError("not done")))
    assert capsys.readouterr().out == "a: done\n"
    assert print_outcome(Outcome(["b"])) == 0


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """With the program's name."""
    assert print_error(CommandError("a\nb"), 1) == 1
    assert capsys.readouterr().err == "aibridge: a\\nb\n"
