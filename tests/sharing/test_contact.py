"""One contact with a store."""

from __future__ import annotations

import trio

from aibridge_trio.core.sharing.session import Session
from aibridge_trio.sharing.contact import Contact
from tests.support.memory_store import MemoryBackend, MemoryStore, ops_of


async def test_it_joins_once_the_store_answers_in_time() -> None:
    """It registers, and sees how long another batch takes."""
    backend = MemoryBackend(MemoryStore())
    session = Session("a", ttl=3.0)
    contact = Contact(session, backend, timeout=1.0, interval=1.0, changed=lambda: None)
    assert await contact.join()
    assert [ops_of(batch) for batch in backend.executed] == [[["register", {}]], []]
    assert not session.away


async def test_it_does_not_join_a_store_that_is_away() -> None:
    """It says why."""
    backend = MemoryBackend(MemoryStore())
    backend.refuse = True
    changes: list[str] = []
    session = Session("a", ttl=3.0)
    contact = Contact(session, backend, timeout=1.0, interval=1.0, changed=lambda: changes.append("changed"))
    assert not await contact.join()
    assert (contact.error, changes, session.away) == ("refused", ["changed"], True)


async def test_a_batch_that_cannot_be_sent_ends_the_contact_only() -> None:
    """The text of an error that is not the store's is not shown: it may quote anything."""

    class Broken(MemoryBackend):
        async def execute(self, batch: bytes) -> bytes:
            await trio.lowlevel.checkpoint()
            raise RuntimeError("a secret")

    contact = Contact(
        Session("a", ttl=3.0), Broken(MemoryStore()), timeout=1.0, interval=1.0, changed=lambda: None
    )
    assert not await contact.join()
    assert contact.error == "RuntimeError in the store's client"
