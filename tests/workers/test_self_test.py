"""Whether workers answer, asked by another process than the one that does: here by another self-test."""

from __future__ import annotations

import pytest

from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.http.message import Reply
from aibridge_trio.workers.self_test import WorkersTest
from tests.bridge.test_self_test import WITHIN, serving


async def test_any_worker_answers() -> None:
    """One that knows the path."""
    test = WorkersTest()
    async with serving(SelfTest(test.path)) as worker:
        for _ in range(2):
            assert await test.failure_of(worker.sockets(), WITHIN, secure=False) is None


async def test_another_program_on_the_same_socket_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is that of one that does not know the path."""
    monkeypatch.setattr("tests.bridge.test_self_test.never", _not_found)
    test = WorkersTest()
    async with serving(SelfTest()) as other:
        why = await test.failure_of(other.sockets(), WITHIN, secure=False)
    assert why
    assert "another process answers" in why


async def _not_found(_: object, reply: Reply) -> None:
    await reply.answer(404, [], b"")
