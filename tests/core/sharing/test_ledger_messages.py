"""Values with versions, and the messages about them."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_messages import KEPT, LOGGED, Messages


def test_a_value_is_set_if_its_version_is_known() -> None:
    """So of two replicas that change it at once, one learns of the other's change."""
    messages = Messages()
    assert messages.set(["set", "t", "k", 0, "1", 60.0], 1.0, "a") == [1, 1]
    assert messages.set(["set", "t", "k", 0, "2", 60.0], 1.0, "b") == [0, 1, "1"]
    assert messages.set(["set", "t", "k", 1, "2", 60.0], 1.0, "b") == [1, 2]
    assert messages.set(["set", "t", "k", -1, "3", 60.0], 1.0, "a") == [1, 3]
    assert messages.after(1, 2.0) == [[2, "t", "k", 2, "2", 1.0, "b"], [3, "t", "k", 3, "3", 1.0, "a"]]


def test_a_version_outlives_its_value() -> None:
    """And where it is forgotten, it does not begin anew for the replica that knows it."""
    messages = Messages()
    messages.set(["set", "t", "k", 7, "1", 5.0], 1.0, "a")
    assert messages.kept(5.9) == [[1, "t", "k", 8, "1", 4.9, "a"]]
    assert messages.kept(6.0) == []
    assert messages.set(["set", "t", "k", 3, "2", 0.0], 7.0, "a") == [0, 8, "1"]
    assert messages.set(["set", "t", "k", 8, "2", 0.0], 7.0, "a") == [1, 9]
    assert messages.set(["set", "t", "k", 9, "3", 0.0], 7.0, "a") == [1, 10]
    assert messages.kept(7.0) == []


def test_log_and_values_are_bounded() -> None:
    """The oldest are forgotten; a reply has at most a hundred messages."""
    messages = Messages()
    for number in range(KEPT + 1):
        messages.set(["set", "t", str(number), -1, "0", 60.0], 1.0, "a")
    assert len(messages.kept(1.0)) == KEPT + 1 - KEPT // 2
    assert [each[0] for each in messages.after(KEPT - LOGGED + 1, 1.0)] == list(range(26, 126))
    assert messages.knows(messages.number)
    assert messages.knows(messages.number - LOGGED)
    assert not messages.knows(messages.number - LOGGED - 1)
    assert not messages.knows(messages.number + 1)
