"""Requests of operators that a worker answers for its supervisor."""

from __future__ import annotations

import json

from trio.testing import MockClock

from aibridge_trio.workers.admin_calls import AdminCall, answer
from tests.support.network import Network

JSON = [(b"content-type", b"application/json"), (b"authorization", b"Bearer x")]


async def test_a_worker_answers_as_its_admin_api(autojump_clock: MockClock, network: Network) -> None:
    """An override reaches the breaker, and a mistake its operator."""
    async with network.bridge(circuit_breaker=True) as running:
        admin = running.bridge.admin
        call = AdminCall("POST", b"/breakers/openai", JSON, b'{"mode": "open"}', "10.0.0.1")
        answered = await answer(admin, call)
        assert (answered.status, json.loads(answered.body)["mode"]) == (200, "open")
        nowhere = await answer(admin, AdminCall("POST", b"/breakers/nobody", JSON, b"{}", None))
        assert nowhere.status == 404
