"""Where in the bridge's code a bug was: its type and places, without the message, which may quote a caller."""

from __future__ import annotations

import traceback
from errno import errorcode
from pathlib import Path

# The innermost frames that are kept: endless recursion has a thousand.
_FRAMES = 30


def place_of(error: BaseException) -> str:
    """Return the type and the places of an exception, the innermost first; of a group those of its first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    # traceback.extract_tb() would read source files from the disk, and block the event loop.
    frames = list(traceback.walk_tb(error.__traceback__))[-_FRAMES:]
    codes = [(frame.f_code, line) for frame, line in reversed(frames)]
    places = " < ".join(f"{Path(code.co_filename).name}:{line} {code.co_name}" for code, line in codes)
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        name += f" {errorcode.get(error.errno, error.errno)}"
    return f"{name} at {places}"
