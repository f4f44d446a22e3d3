"""Keys and shapes."""

from __future__ import annotations

import tomllib

from aibridge_trio.config.tables import keys
from aibridge_trio.config.tables.key import Key, Shape

SHAPES = (keys.CLASS, keys.CALLER, keys.PROVIDER, keys.BUILT_IN_PROVIDER, keys.ROUTE)


def test_a_shape_knows_its_keys() -> None:
    """By name."""
    assert keys.CALLER.get("expires") in keys.CALLER.keys
    assert keys.CALLER.get("expire") is None


def test_every_example_is_toml() -> None:
    """Of keys with tables, too."""
    for shape in SHAPES:
        for key in shape.keys:
            assert tomllib.loads(f"{key.name} = {key.example}")


def test_alternatives_are_keys() -> None:
    """A shape's alternatives are some of its keys."""

    def check(shape: Shape) -> None:
        assert all(shape.get(name) for name in shape.alternatives)
        for key in shape.keys:
            if key.shape:
                check(key.shape)

    for shape in SHAPES:
        check(shape)


def test_a_key_has_a_kind_or_a_shape() -> None:
    """And never both."""
    for shape in SHAPES:
        for key in shape.keys:
            assert isinstance(key, Key)
            assert (key.kind is None) != (key.shape is None), key.name
