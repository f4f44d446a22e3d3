"""The gateways that can be asked: one module each, with its configuration for each question."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.compare.peers import Launch, Peer, Place, no_headers
from bench.compare.traffic import Header
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms


def no_metrics(_place: Place) -> Metrics | None:
    """Return none."""
    return None


# What all requests have at the provider in the setup GOODPUT.
CENTRAL_KEY = "sk-central-0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway: which program, and the `launch` that configures it for a setup on the terms.

    `lacks` names the questions for which it cannot be configured, and what it has not: they are not asked.
    """

    peer: Peer
    launch: Callable[[Place, Setup, Terms], Launch]
    headers: Callable[[Place], tuple[Header, ...]] = no_headers
    metrics: Callable[[Place], Metrics | None] = no_metrics
    lacks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cast:
    """The gateways that are there, and the names of those that are not."""

    gateways: Sequence[Gateway]
    missing: Sequence[str]


def runs(path: str) -> bool:
    """Tell whether a path is a program."""
    return os.access(path, os.X_OK)
