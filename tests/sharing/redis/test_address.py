"""Where a store is: what is shown of it, and what is in clear text."""

from __future__ import annotations

import pytest

from aibridge_trio.sharing.redis.address import Host, RedisAddress

A, B, LOCAL = Host("a", 1), Host("fd00::1", 2), Host("127.0.0.9", 3)


@pytest.mark.parametrize(
    ("address", "shown", "in_clear"),
    [
        (RedisAddress(kind="server", hosts=(A,), password="zz"), "a:1", "a:1"),
        (RedisAddress(kind="server", hosts=(A,), tls=True), "a:1", ""),
        (RedisAddress(kind="server", hosts=(Host("localhost", 1),)), "localhost:1", ""),
        (RedisAddress(kind="socket", path="/x"), "the unix socket /x", ""),
        (RedisAddress(kind="sentinel", hosts=(A, LOCAL), service="s"), "s of sentinels a:1, 127.0.0.9:3", "a:1"),
        (RedisAddress(kind="cluster", hosts=(A, B)), "cluster a:1, [fd00::1]:2", "a:1, [fd00::1]:2"),
    ],
)
def test_what_is_said_of_it(address: RedisAddress, shown: str, in_clear: str) -> None:
    """One short text, without a password."""
    assert str(address) == shown
    assert address.in_clear == in_clear
    assert "zz" not in repr(address)
