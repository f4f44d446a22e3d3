"""Tables of a scenario file are read key by key, and mistakes name file, table and key."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.config import units as u
from aibridge_trio.errors import UsageError
from aibridge_trio.simulate.scenario.toml_table import Table


def a_table(**raw: Any) -> Table:
    """A table of a file."""
    return Table("x.toml", "[here]", raw)


def test_a_key_has_its_value_or_the_default() -> None:
    """A value is read in the key's unit, whether TOML has it as a number, a boolean or text."""
    table = a_table(count=3, wait="2s", on=True)
    assert table.take("count", u.COUNT) == 3
    assert table.take("wait", u.SPAN) == 2.0
    assert table.take("on", u.BOOLEAN) is True
    assert table.take("other", u.COUNT, 7) == 7


def test_a_key_without_a_default_must_be_there() -> None:
    """The message says how to add it."""
    with pytest.raises(UsageError, match=r"^x\.toml: \[here\] count: is missing; add count = 10$"):
        a_table().take("count", u.COUNT)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("many", '"many" is not a whole number; write e.g. count = 10'),
        ({"a": 1}, "is no value; write e.g. count = 10"),
        (None, '"None" is no value; write e.g. count = 10'),
    ],
)
def test_a_wrong_value_is_a_mistake(raw: Any, message: str) -> None:
    """The message shows the value and an example."""
    with pytest.raises(UsageError) as found:
        a_table(count=raw).take("count", u.COUNT)
    assert str(found.value).startswith("x.toml: [here] count: ")
    assert str(found.value).endswith(message)


def test_the_end_refuses_keys_that_were_not_read() -> None:
    """A key that is similar to a known one is suggested; `known` keys may remain."""
    table = a_table(count=1, cuont=2)
    table.take("count", u.COUNT)
    with pytest.raises(UsageError, match="cuont: unknown key; did you mean count"):
        table.end()
    table.end(["cuont"])
    with pytest.raises(UsageError, match="zzz: unknown key; remove it"):
        a_table(zzz=1).end()


def test_tables_below_have_their_path_as_name() -> None:
    """Also in messages; a missing table is empty, an array of tables is numbered from 1."""
    top = Table("x.toml", "", {"clients": {"mine": {"retries": "?"}}, "phases": [{}, {"from": 1}]})
    mine = top.table("clients").table("mine")
    assert mine.name == "[clients.mine]"
    assert list(top.table("none")) == []
    assert [each.name for each in top.tables("phases")] == ["[[phases]] 1", "[[phases]] 2"]
    with pytest.raises(UsageError, match=r"\[clients\.mine\] retries: "):
        mine.take("retries", u.COUNT)


@pytest.mark.parametrize(("raw", "method"), [(3, "table"), ({}, "tables"), ([1], "tables")])
def test_what_is_no_table_is_a_mistake(raw: Any, method: str) -> None:
    """A number, or a table where an array of tables belongs."""
    with pytest.raises(UsageError, match=r"is no (table|array of tables); write \[\[?here"):
        getattr(Table("x.toml", "", {"here": raw}), method)("here")
