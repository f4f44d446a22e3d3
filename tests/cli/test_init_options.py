"""The options of `aibridge init`."""

from __future__ import annotations

import pytest

from aibridge_trio.cli.init import QUESTIONS
from aibridge_trio.cli.init_options import INIT
from aibridge_trio.cli.init_text import Answers
from aibridge_trio.config.units import InvalidValue

OPTIONS = {option.name: option for option in INIT}


def test_every_question_has_its_flag() -> None:
    """So that a program can answer, too."""
    assert {name for name, _ in QUESTIONS} <= set(OPTIONS)
    for option in INIT:
        assert option.flag
        if option.default is not None:
            option.unit.parse(option.default)


def test_a_provider_is_a_name_and_a_url() -> None:
    """Several, each with a name of its own."""
    unit = OPTIONS["provider"].unit
    assert unit.parse("a=https://x/v1,b=http://y") == (("a", "https://x/v1"), ("b", "http://y"))
    assert unit.show(unit.parse(unit.example)) == unit.example
    for wrong in ("a", "v1=https://x", "a=ftp://x", "a=https://x,a=https://y", "=https://x"):
        with pytest.raises(InvalidValue):
            unit.parse(wrong)
    unit = OPTIONS["provider_key_file"].unit
    assert unit.show(unit.parse("a=/k")) == "a=/k"


def test_the_default_address_is_the_bridges() -> None:
    """Where it stands as a comment."""
    assert OPTIONS["bind"].default == ",".join(Answers().bind)
