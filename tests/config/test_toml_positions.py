"""Positions in TOML, compared with what tomllib reads."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.toml_positions import Path, Positions

EXAMPLE = '''\
# a comment with = and [brackets]
plain = 1
"quoted" . 'dotted'.key = "x # no comment" # one
dates = [1979-05-27 07:32:00Z, 1979-05-27, 07:32:00]
long = """
no = 'key' \\"""
[no.table]
"""""
raw = \'\'\'
no = 1\'\'\'

[table.sub]
array = [ # a comment, with a comma
  "a,]", [1, 2],
  { inline = { deep = true }, "two" = 2 },
]
[[list]]
name = "first"
[list.sub]
x = 1
[[list]]
name = "second"
  [[list.inner]]
  x = 1
  [[list.inner]]
  x = 2
[table]
late = 1
'''


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("plain",), (2, 1)),
        (("quoted",), (3, 1)),
        (("quoted", "dotted"), (3, 12)),
        (("quoted", "dotted", "key"), (3, 21)),
        (("dates", 1), (4, 32)),
        (("dates", 2), (4, 44)),
        (("long",), (5, 1)),
        (("raw",), (9, 1)),
        (("table",), (12, 2)),
        (("table", "sub"), (12, 8)),
        (("table", "sub", "array", 1, 1), (14, 14)),
        (("table", "sub", "array", 2, "inline", "deep"), (15, 16)),
        (("table", "sub", "array", 2, "two"), (15, 31)),
        (("list", 0, "name"), (18, 1)),
        (("list", 0, "sub", "x"), (20, 1)),
        (("list", 1), (21, 3)),
        (("list", 1, "inner", 1, "x"), (26, 3)),
        (("table", "late"), (28, 1)),
        (("table", "missing", 3), (12, 2)),
        (("nowhere",), (1, 1)),
    ],
)
def test_a_key_is_where_it_is_mentioned_first(path: Path, place: tuple[int, int]) -> None:
    """Lines and columns count from 1; a key that is nowhere is where its table is."""
    assert Positions(EXAMPLE).find(path) == place
    assert Positions(EXAMPLE.replace("\n", "\r\n")).find(path) == place


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Every path in a document, tables and arrays included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} - {()} | {each for key, below in items for each in paths(below, (*path, key))}


# What numbers, dates and times begin with.
NUMERIC = tuple("0123456789+-in")
KEYS = st.sampled_from(["a", "b-1", "_", "9"]) | st.text(st.characters(codec="utf-8"), max_size=3)


@st.composite
def key_tokens(draw: st.DrawFn, key: str) -> str:
    """A key as TOML: bare where it can be, or in either sort of quotes."""
    forms = [
        '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in key) + '"'
    ]
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        forms.append(key)
    if all(((ord(c) >= 32 and ord(c) != 127) or c == "\t") and c != "'" for c in key):
        forms.append(f"'{key}'")
    return draw(st.sampled_from(forms))


@st.composite
def values(draw: st.DrawFn, depth: int) -> str:
    """A value as TOML, with awkward strings, comments and line ends."""
    scalars = [
        *("1", "-0.5e3", "true", "nan", "1979-05-27", "1979-05-27 07:32:00.5", "1979-05-27T07:32:00+02:00"),
        *('""', "''", '"#"', '"\\"]"', "'\\'", '"""\n"" ]\n"""', "'''\n'' }\n'''", '"""\\""""""', "'''''a'''''"),
    ]
    kind = draw(st.sampled_from(["scalar", "array", "table"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(st.sampled_from(scalars))
    if kind == "array":
        blank = draw(st.sampled_from(["", " ", "\n", " # ] , }\n"]))
        items = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + blank + f",{blank}".join(item + blank for item in items) + "]"
    keys = draw(st.lists(KEYS, unique=True, max_size=3))
    pairs = [f"{draw(key_tokens(key))} = {draw(values(depth - 1))}" for key in keys]
    return "{ " + " , ".join(pairs) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A text that is often valid TOML: tables, arrays of tables, dotted keys, and comments between them."""
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        dotted = draw(st.sampled_from([".", " . "])).join(
            draw(key_tokens(key)) for key in draw(st.lists(KEYS, min_size=1, max_size=3))
        )
        pair = f"{dotted} = {draw(values(2))} # x"
        header = [f"[{dotted}]", f"[[{dotted}]]", f" [ {dotted} ] # ["]
        lines.append(draw(st.sampled_from([*header, *[pair] * 3, "", "# [x]", "\t"])))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


@given(documents())
def test_every_path_that_tomllib_reads_is_found(text: str) -> None:
    """No more, no less; and at a key's place stands that key, at an element's one of its type."""
    try:
        document = tomllib.loads(text)
    except ValueError:
        return
    positions = Positions(text)
    assert set(positions) == paths(document)
    lines = text.replace("\r\n", "\n").split("\n")
    for path in positions:
        line, column = positions.find(path)
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        if isinstance(path[-1], str):
            token = re.match(r"""("(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)""", rest)
            assert token
            assert tomllib.loads(f"{token[1]} = 1") == {path[-1]: 1}
        elif not isinstance(element := at(document, path), dict | list):
            assert rest.startswith({str: ('"', "'"), bool: ("true", "false")}.get(type(element), NUMERIC))


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for key in path:
        value = value[key]
    return value


def test_a_nesting_too_deep_for_the_stack_is_left_out() -> None:
    """The scanner fails no start: what it has not found is where its table is."""
    positions = Positions("a = " + "[" * 5000 + "]" * 5000)
    assert positions.find(("a", *[0] * 5000)) >= (1, 5)
    assert positions.find(("a",)) == (1, 1)
