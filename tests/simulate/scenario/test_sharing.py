"""How replicas share."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.sharing import Sharing


def test_one_replica_shares_nothing() -> None:
    """As by default."""
    assert Sharing() == Sharing(replicas=1, store=False, loss=0.0, cut_off=0.0)
