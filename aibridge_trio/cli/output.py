"""What commands have in common: their options' values, and what they print."""

# ruff: noqa: PLC0415 - see main

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aibridge_trio.admin.orders import Outcome
    from aibridge_trio.config.settings import Option


def values(options: Iterable[Option], flags: dict[str, Any]) -> dict[str, Any]:
    """Return the value of each option: its flag's, its variable's, or the default. Raises UsageError."""
    from aibridge_trio.config import loader

    return loader.values(options, flags, os.environ)


def print_text(text: str) -> int:
    """Write text to stdout; return the exit status."""
    sys.stdout.write(text)
    return 0


def print_outcome(outcome: Outcome) -> int:
    """Write what replicas answered; return the exit status. Raises their failure."""
    for line in outcome.lines:
        print_line(line)
    if outcome.failure:
        raise outcome.failure
    return 0


def print_error(error: Exception, status: int) -> int:
    """Write an error to stderr; return the exit status."""
    from aibridge_trio.printable import visible

    with suppress(OSError):  # stderr has no reader; the exit status is enough
        print_line(f"aibridge: {visible(str(error))}", sys.stderr)
    return status


def print_line(line: str, stream: Any = None) -> None:
    """Write a line; characters outside of the stream's encoding are escaped."""
    out = stream or sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
