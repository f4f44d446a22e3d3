"""Replicas of a policy behind a balancer, which gives each attempt to one of them by chance."""

from __future__ import annotations

from collections.abc import Sequence

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.policies.several import Several
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.randomness import REPLICA, uniform


class Fleet(Several):
    """Gives each attempt to a replica: a client that tries again comes to another one, as likely as to any."""

    @property
    def replicas(self) -> Sequence[Policy]:
        """The replicas."""
        return self._policies

    def _of(self, call: Call) -> Policy:
        chosen = uniform(call.request.seed, call.attempt, REPLICA)
        return self._policies[min(int(chosen * len(self._policies)), len(self._policies) - 1)]
