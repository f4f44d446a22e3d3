from __future__ import annotations

from pathlib import Path

import pytest

from aibridge_trio.config.origin import DEFAULT, Origin
from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import UsageError

BY_NAME = {option.name: option for option in OPTIONS}
FLAG = Origin("flag", "--rate-limit")
VARIABLE = Origin("environment", "AIBRIDGE_RATE_LIMIT")
KEY = Origin("file", "rate_limit", "/etc/a\n.toml", 3, 1)


@pytest.mark.parametrize(
    ("origin", "shown", "place"),
    [
        (FLAG, "flag --rate-limit", "--rate-limit"),
        (VARIABLE, "environment AIBRIDGE_RATE_LIMIT", "AIBRIDGE_RATE_LIMIT"),
        (KEY, "/etc/a\\n.toml:3:1: rate_limit", "/etc/a\\n.toml:3:1: rate_limit"),
        (DEFAULT, "default", ""),
    ],
)
def test_an_origin_names_its_place(origin: Origin, shown: str, place: str) -> None:
    """The kind and the name for `check`, the place alone for errors; a file's name is printable."""
    assert (str(origin), origin.place) == (shown, place)


@pytest.mark.parametrize(
    ("origin", "name", "text"),
    [
        (FLAG, "rate_limit", "--rate-limit 5"),
        (VARIABLE, "rate_limit", "AIBRIDGE_RATE_LIMIT=5"),
        (KEY, "rate_limit", "rate_limit = 5"),
        (Origin("file", "idle_timeout"), "idle_timeout", 'idle_timeout = "5"'),
        (Origin("file", "bind"), "bind", 'bind = ["5"]'),
    ],
)
def test_an_assignment_is_written_as_its_place_wants_it(origin: Origin, name: str, text: str) -> None:
    """A flag, a variable, or a TOML value of the option's type."""
    assert origin.assignment(BY_NAME[name], "5") == text


def test_an_error_is_place_problem_and_remedy() -> None:
    """One line, in this order."""
    assert str(FLAG.usage_error("is wrong", "mend it")) == "--rate-limit: is wrong; mend it"


def test_a_file_that_fails_its_check_is_named() -> None:
    """The check's result is returned; its complaint becomes a UsageError with the first path and the remedy."""

    def fails(*_: Path) -> None:
        raise InvalidValue("is empty")

    assert FLAG.check_file(lambda path: path.name, Path("/a/b"), remedy="") == "b"
    with pytest.raises(UsageError, match=r'^--rate-limit: "/a/b" is empty; name another$'):
        FLAG.check_file(fails, Path("/a/b"), Path("/c"), remedy="name another")


def test_a_check_may_say_what_to_do() -> None:
    """It knows better: a file that is not TOML is corrected, not replaced."""

    def fails(_: Path) -> None:
        raise InvalidValue("is not TOML: Invalid value (at line 2, column 12)", "correct it there")

    with pytest.raises(UsageError, match=r"column 12\); correct it there$"):
        FLAG.check_file(fails, Path("/a"), remedy="name another")
