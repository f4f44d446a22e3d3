from __future__ import annotations

from aibridge_trio.core.limits import store_keys


def test_keys_are_apart() -> None:
    """No two limits have the same key, whatever the names."""
    keys = [
        store_keys.SLOTS,
        store_keys.of_caller(b"\x01"),
        store_keys.of_caller("x"),
        store_keys.of_class("x"),
        store_keys.of_provider("x"),
        store_keys.of_rate("x", ""),
        store_keys.of_rate("x", "x"),
        store_keys.TOKENS + store_keys.of_caller("x"),
        store_keys.SPENT + store_keys.of_caller("x"),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[1] == "caller:01"
