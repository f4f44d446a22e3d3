"""Documents of tables that aibridge.toml may hold, right and wrong ones, as Hypothesis strategies."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from aibridge_trio.config.tables import keys, kinds

if TYPE_CHECKING:
    from aibridge_trio.config.tables.key import Key, Shape

# Values that no kind or some kinds take. Dates and URLs are such that the schema can tell.
POOL: tuple[Any, ...] = (
    *(0, 1, 8, -1, 1000, 1001, 10**18 - 1, 10**18, 1.5, True, False, "", "0", "10/s", "200000/m", "10/d", "x"),
    *("none", "other", "v1", "people", "People", "azure", "low", "day", "openai", "weighted", "least-used"),
    *("gpt-*", "*", "a*b", "dev-07", "a b", "a\n", "ab" * 32, "AB" * 32, "2027-03-31", "2027-3-31", "api-key"),
    *("AZURE_KEY", "9X", "/run/key", "a\0b", "https://x.example/v1", "ftp://x", "http://a@b", "http://x?y"),
    *([], ["gpt-*"], ["gpt-*", "gpt-*"], ["azure", "openai"], [1], ["ab" * 32], [["x"]], {}, {"x-team": "a b"}),
    *({"x-team": ""}, {"x team": "a"}, {"x-team": 1}, [{}], [{"file": "/k"}], [{"file": "/k", "env": "K"}]),
    *({"tokens": 5, "per": "day"}, {"tokens": 0, "per": "day"}, {"tokens": 5}),
)


# Editors hand TOML's dates over as strings: only where one is expected can the schema tell.
DATES = (date(2027, 3, 31), datetime(2027, 3, 31), time(7))  # noqa: DTZ001 - as TOML has them


def values(key: Key) -> st.SearchStrategy[Any]:
    """Values of a key, right and wrong ones."""
    right = tables(key.shape) if key.shape else None
    listed = st.lists(right, max_size=2) if right is not None and key.most else right
    pool = st.sampled_from((*POOL, *DATES) if key.kind is kinds.DATE else POOL)
    return pool if listed is None else pool | listed


def tables(wanted: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Tables that often have the shape."""
    held = {key.name: values(key) for key in wanted.keys}
    needed = [key.name for key in wanted.keys if key.required]
    some = st.sampled_from(sorted(held)).flatmap(lambda name: st.fixed_dictionaries({name: held[name]}))
    optional = {name: held[name] for name in held if name not in needed}
    whole = st.fixed_dictionaries({name: held[name] for name in needed}, optional=optional)
    return some | whole | st.builds(lambda table, extra: {**table, "unknown": extra}, whole, st.sampled_from(POOL))


NAMES = st.sampled_from(["people", "azure", "openai", "copilot", "v1", "none", "None", "other", "a_b", ""])
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "classes": st.dictionaries(NAMES, tables(keys.CLASS), max_size=2) | st.sampled_from(POOL),
        "callers": st.lists(tables(keys.CALLER), max_size=2) | st.sampled_from(POOL),
        "providers": st.dictionaries(NAMES, tables(keys.PROVIDER), max_size=2) | st.sampled_from(POOL),
        "routes": st.lists(tables(keys.ROUTE), max_size=2) | st.sampled_from(POOL),
    },
)


def toml(value: Any) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, date | time) else json.dumps(value)


def text(document: dict[str, Any]) -> str:
    """A document as TOML, a line for each sort of table."""
    return "".join(f"{name} = {toml(value)}\n" for name, value in document.items())
