"""Each order to a running bridge is an event with its author, once, whatever became of it."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.errors import UsageError
from aibridge_trio.process.audit import Audited
from tests.support.network import Network, Running


def audited(bridge: Running) -> list[Audited]:
    """What was recorded so far."""
    return [event for event in bridge.events if isinstance(event, Audited)]


@pytest.mark.parametrize("token", [None, "hunter2"])
async def test_an_order_is_recorded_with_its_operator_and_outcome(
    autojump_clock: MockClock, network: Network, token: str | None
) -> None:
    """Overrides and reloads, done or refused; what lacks the token is a line `admin`."""
    secret = Secret(token) if token else None
    by = "admin token" if token else "no token"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with network.bridge(circuit_breaker=True, admin_token=secret) as bridge:
        admin = bridge.admin
        await admin.post(
            "/breakers/openai", json={"mode": "open", "for": "10m", "reason": "INC-12"}, headers=headers
        )
        await admin.post("/breakers/unknown", json={"mode": "auto"}, headers=headers)
        await admin.post("/reload", headers=headers)
        bridge.settings[0] = UsageError("a.toml:1:1: what")
        await admin.post("/reload", headers=headers)
        if token:
            await admin.post("/reload")
        await admin.get("/status", headers=headers)
        found = audited(bridge)
    peer = found[0].peer
    assert peer
    refused = "refused: no such provider; there are openai, anthropic, copilot"
    assert found == [
        Audited("override", "openai", "open for 10m: INC-12", by, peer, "done"),  # type: ignore[arg-type]
        Audited("override", "unknown", "", by, peer, refused),  # type: ignore[arg-type]
        Audited("reload", None, "", by, peer, "done"),  # type: ignore[arg-type]
        Audited("reload", None, "", by, peer, "a.toml:1:1: what"),  # type: ignore[arg-type]
    ]
