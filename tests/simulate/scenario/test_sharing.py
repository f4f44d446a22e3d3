"""How replicas share."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.sharing import FleetSharing


def test_one_replica_shares_nothing() -> None:
    """As by default."""
    assert FleetSharing() == FleetSharing(replicas=1, store=False, loss=0.0, cut_off=0.0)
