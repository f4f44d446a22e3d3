"""Tallies and claims."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_tallies import Claims, Tallies


def test_counts_are_added_up_over_a_span() -> None:
    """By 16ths of it: after a span nothing is left."""
    tallies = Tallies()
    assert tallies.add("k", 16.0, [0, 0], 100.0) == [0, 0]
    assert tallies.add("k", 16.0, [1, 2], 100.0) == [1, 2]
    assert tallies.add("k", 16.0, [1, 0], 100.5) == [2, 2]
    assert tallies.add("k", 16.0, [3, 0], 110.0) == [5, 2]
    assert tallies.add("k", 16.0, [0, 0], 115.9) == [5, 2]
    assert tallies.add("k", 16.0, [0, 0], 116.0) == [3, 0]
    assert tallies.add("k", 8.0, [0, 0], 116.0) == [0, 0]
    tallies.expire(126.0)
    assert repr(tallies) == "<Tallies of 0 keys>"


def test_one_replica_has_a_claim() -> None:
    """Until its time is over, or the replica ends it."""
    claims = Claims()
    assert claims.claim("c", 5.0, 0.0, "a") == 1
    assert claims.claim("c", 5.0, 4.0, "b") == 0
    assert claims.claim("c", 5.0, 4.0, "a") == 1
    assert claims.claim("c", 5.0, 8.9, "b") == 0
    assert claims.claim("c", 5.0, 9.0, "b") == 1
    assert claims.claim("c", 0.0, 9.0, "b") == 1
    assert claims.claim("c", 5.0, 9.0, "a") == 1
