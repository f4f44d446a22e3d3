from __future__ import annotations

from dataclasses import fields, make_dataclass
from typing import Any

import pytest

from aibridge_trio.config.option import Option, option
from aibridge_trio.config.units import BOOLEAN, COUNT, SECRET, SPAN, Secret, Unit


def described(name: str, unit: Unit[Any], **more: Any) -> Option:
    """Return an option with a default of 0."""
    return Option(**{"name": name, "unit": unit, "default": "0", "help": "Help.", **more})


def test_flag_and_key_derive_from_the_name() -> None:
    """Dashes in the flag, underscores in the key."""
    each = described("queue_size", COUNT)
    assert (each.flag, each.key, each.label, each.switch) == ("--queue-size", "queue_size", "--queue-size", False)


def test_a_private_option_has_only_variables() -> None:
    """Neither flag nor key; its label is its last variable, and the file's variable is read last."""
    each = described("key", SECRET, private=True, variables=("key", "KEY"), secret_file="KEY_FILE")
    assert (each.flag, each.key, each.negative, each.label) == (None, None, None, "KEY")
    assert each.all_variables == ("key", "KEY", "KEY_FILE")


@pytest.mark.parametrize(
    ("unit", "variables", "negative"), [(BOOLEAN, ("V",), "--no-x"), (BOOLEAN, (), None), (COUNT, ("V",), None)]
)
def test_a_switch_that_a_variable_can_set_has_a_negative(
    unit: Unit[Any], variables: tuple[str, ...], negative: str | None
) -> None:
    """--no-x overrides the variable; a switch that only its flag sets needs none."""
    assert described("x", unit, default="false", variables=variables).negative == negative


@pytest.mark.parametrize(
    ("unit", "default", "example"),
    [(COUNT, "0", "10"), (COUNT, None, "10"), (COUNT, "7", "7"), (SPAN, "30s", "30s")],
)
def test_the_example_is_the_default_unless_that_is_off(unit: Unit[Any], default: str | None, example: str) -> None:
    """An example sets something: it is the unit's own where the default is 0 or none."""
    assert described("x", unit, default=default).example == example


def test_no_value_is_shown_as_none() -> None:
    """None, and text that is empty, are shown as `none`; a secret is masked."""
    assert described("x", COUNT).show(None) == "none"
    assert described("x", Unit(str, "TEXT", "a")).show("") == "none"
    assert described("x", SECRET).show(Secret("hunter2")) == "***"


def test_a_field_of_a_dataclass_carries_its_option() -> None:
    """option() gives a field with the parsed default; a secret's file has its variable's name and _FILE."""
    made = make_dataclass(
        "Made",
        [
            ("window", float, option(SPAN, "1m", "Group", "Help.", also=("OTHER",))),
            ("key", Any, option(SECRET, None, "Group", "Help.", private=("KEY",))),
        ],
    )
    window, key = (field.metadata["option"] for field in fields(made))
    assert (made().window, made().key) == (60.0, None)
    assert (window.variables, window.secret_file, window.private) == (("OTHER",), None, False)
    assert (key.variables, key.secret_file, key.private) == (("KEY",), "KEY_FILE", True)
