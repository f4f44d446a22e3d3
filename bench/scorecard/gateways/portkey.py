"""Portkey's gateway: what it has is in each request's configuration, which is routing, retries and a timeout."""

from __future__ import annotations

import json

from bench.compare.peers import Launch, Place, portkey
from bench.compare.traffic import Header
from bench.scorecard.gateways import Gateway
from bench.scorecard.terms import Setup, Terms

_LIMIT = "limit of requests at once"
_BREAKER = "breaker in what can be installed"


def gateway() -> Gateway | None:
    """Return Portkey's gateway, if it is installed."""
    peer = portkey.peer()
    if peer is None:
        return None
    program = peer.executable

    def launch(place: Place, _setup: Setup, _terms: Terms) -> Launch:
        return peer.launch(program, place)

    return Gateway(
        peer=peer,
        launch=launch,
        headers=_headers,
        lacks={
            **dict.fromkeys((1, 2, 3, 15), _LIMIT),
            5: "limit per caller",
            **dict.fromkeys((7, 8, 9, 10, 11, 12, 17), _BREAKER),
            20: "metrics",
            21: f"{_LIMIT}, in all or per caller",
        },
    )


def _headers(_place: Place) -> tuple[Header, ...]:
    config = {"retry": {"attempts": 0}, "strict_open_ai_compliance": False}
    return (("x-portkey-config", json.dumps(config)),)
