"""How the replicas of a simulated bridge share their limits, and what is wrong with the way to the store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FleetSharing:
    """How many replicas there are, and how they reach a store.

    store       Whether there is one.
    round_trip  The mean time to the store and back (seconds); each way of each message takes a quarter to three
                quarters of it.
    loss        The share of batches of which the batch or its reply is lost, and all behind it until the replica
                connects again.
    cut_off     The share of the replicas that do not reach the store in the middle third of the time.
    """

    replicas: int = 1
    store: bool = False
    round_trip: float = 0.001
    loss: float = 0.0
    cut_off: float = 0.0
