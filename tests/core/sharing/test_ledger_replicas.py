"""Which replicas are silent."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_replicas import LOOKS, REMEMBERED, Replicas


def test_a_replica_is_due_when_it_was_silent_for_its_ttl() -> None:
    """Once; its number is remembered for a while."""
    replicas = Replicas()
    replicas.register("a", 0.0, 3.0)
    replicas.hear("a", 1, 2.0, 3.0, applies=True)
    assert list(replicas.due(3.0)) == []
    assert list(replicas.due(4.9)) == []
    assert replicas.live == 1
    assert list(replicas.due(5.0)) == ["a"]
    assert replicas.live == 0
    assert not replicas.remember("a", 5.0)
    assert list(replicas.due(5.0)) == []
    assert list(replicas.due(5.0 + REMEMBERED)) == ["a"]
    assert replicas.remember("a", 5.0 + REMEMBERED)
    assert not replicas.known


def test_a_shorter_ttl_holds_at_once() -> None:
    """A replica that registers again says it anew."""
    replicas = Replicas()
    replicas.register("a", 0.0, 300.0)
    replicas.hear("a", 1, 0.0, 3.0, applies=True)
    assert list(replicas.due(3.0)) == ["a"]


def test_few_are_looked_at_with_one_batch() -> None:
    """The others with the next ones."""
    replicas = Replicas()
    for number in range(LOOKS + 1):
        replicas.register(str(number), 0.0, 3.0)
    found = list(replicas.due(3.0))
    assert len(found) == LOOKS
    for each in found:
        assert not replicas.remember(each, 3.0)
    assert len(list(replicas.due(3.0))) == 1
