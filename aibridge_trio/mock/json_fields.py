"""Checks the fields of the JSON objects that the control endpoint takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

# field → whether a value is valid, and what is expected
Fields = Mapping[str, tuple[Callable[[Any], bool], str]]


class ControlError(ValueError):
    """The document is invalid; `str()` is one line that says where and why."""


def parsed(document: bytes) -> Any:
    """Parse JSON. Raises ControlError."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"not JSON: {error}") from None


def check(where: str, document: Any, fields: Fields) -> None:
    """Check that a document is an object of these fields, all optional. Raises ControlError."""
    at = f"{where}: " if where else ""
    if not isinstance(document, dict):
        raise ControlError(f"{at}an object is wanted")
    if unknown := sorted(set(document) - set(fields)):
        raise ControlError(f"{at}unknown field {', '.join(unknown)}; known: {', '.join(fields)}")
    for name, value in document.items():
        fits, wanted = fields[name]
        if not fits(value):
            raise ControlError(f"{where}{'.' if where else ''}{name}: {wanted} is wanted")


def count(at_least: int, below: float = math.inf) -> Callable[[Any], bool]:
    """Return a check for whole numbers from `at_least` on."""
    return lambda value: type(value) is int and at_least <= value < below


def number(value: Any) -> bool:
    """Whether it is a finite number, 0 or more: seconds, a rate."""
    return type(value) in (int, float) and 0 <= value < math.inf


def positive(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return number(value) and value > 0


def text(value: Any) -> bool:
    """Whether it is a string."""
    return isinstance(value, str)
