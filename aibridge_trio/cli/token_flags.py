"""The options of `aibridge token`."""

from __future__ import annotations

from datetime import date

from aibridge_trio.config.settings import CONFIG, OPTIONS, Option
from aibridge_trio.config.units import BOOLEAN, InvalidValue, Unit
from aibridge_trio.printable import quoted


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{quoted(text)} is not a date") from None


_DAY = Unit(_day, "DATE", "2027-03-31")

TOKEN = (
    *(option for option in (CONFIG, *OPTIONS) if option.name in {"config", "callers_file"}),
    Option(
        name="class_",
        unit=Unit(str, "NAME", "people"),
        default=None,
        help="new: the caller's class.",
    ),
    Option(
        name="expires",
        unit=_DAY,
        default=None,
        help="new: the last day on which the caller is known, UTC.",
    ),
    Option(
        name="add",
        unit=BOOLEAN,
        default="false",
        help="new: give a caller that is in the file another token, beside those that it has.",
    ),
    Option(
        name="hash",
        unit=Unit(str, "PREFIX", "1f0c9a"),
        default=None,
        help="revoke: only the token whose hash begins so, as list shows it.",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="list: print JSON.",
    ),
)
