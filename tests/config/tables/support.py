"""Documents from text, and the errors that they get."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from aibridge_trio.config.document import Document
from aibridge_trio.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def document(text: str) -> Document:
    """Return the document of a text, as file `a.toml`."""
    return Document("a.toml", tomllib.loads(text), text)


def error_of(call: Callable[[], object]) -> str:
    """Return the one line that this call's UsageError has."""
    with pytest.raises(UsageError) as found:
        call()
    line = str(found.value)
    assert line.isprintable()
    return line
