"""Needs and answers survive the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Denied, Granted, Holding, Leave, Message, Settled, Use


def test_an_ask_becomes_an_op() -> None:
    """Each need is a list of its fields, in order."""
    ask = Ask((Holding("slots", 50),), (Use("rate:a", 10, 1.0, soft=True),), BudgetUse("a", 100, "day", 7))
    expected = ["ask", [["slots", 50, 1, 0]], [["rate:a", 10, 1.0, 1, 0, 1]], ["a", 100, "day", 7]]
    assert wire.ask(ask) == expected


def test_answers_are_read() -> None:
    """Totals are by the holdings' keys, what is left by the order of the uses."""
    ask = Ask((Holding("slots", 50),), (Use("rate:a", 10, 1.0),))
    granted = wire.answer(ask, [1, [3], [[9, 1.0]], 0, []], 5.0)
    assert granted == Granted(5.0, {"slots": 3}, ((9, 1.0),), 0, ())
    denied = wire.answer(ask, [0, "rate:a", 0.5, [3], [[0, 0.5]], 0], 5.0)
    assert denied == Denied("rate:a", 0.5, {"slots": 3}, ((0, 0.5),), 0)


def test_what_is_given_back_becomes_an_op() -> None:
    """An absent budget is 0."""
    left = Leave((("slots", 1),), (Settled("tokens:a", 60.0, 10, 7),), None, (("rate:a", 1.0, 5.0),))
    expected = ["leave", [["slots", 1]], [["tokens:a", 60.0, 10, 7]], 0, [["rate:a", 1.0, 5.0]]]
    assert json.loads(json.dumps(wire.leave(left))) == expected


def test_a_reply_is_read() -> None:
    """An empty table of the script stands for an empty list."""
    found = wire.reply(b'["ok","g",3,1.5,2,{},[[1,[],[],0,[]]]]')
    assert found == wire.Reply("ok", "g", 3, 1.5, 2, [], [[1, [], [], 0, []]])
    assert wire.message([7, "key", "a", 2, '{"x":1}', 0.5, "r"]) == Message("key", "a", 2, {"x": 1}, 0.5, "r")


def test_values_are_json_in_strings() -> None:
    """So a store need not understand them, and changes nothing in them."""
    assert wire.set_value("key", "a", -1, {"x": []}, 60.0) == ["set", "key", "a", -1, '{"x":[]}', 60.0]
    assert wire.was_set([1, 3]) == (True, 3, None)
    assert wire.was_set([0, 3, '{"x":[]}']) == (False, 3, {"x": []})
    with pytest.raises(ValueError, match="JSON"):
        wire.set_value("key", "a", -1, float("nan"), 60.0)


def test_what_runs_is_held_under_names() -> None:
    """The span is one of a use's names: with another one it counts anew."""
    assert wire.held_use("tokens:a", 60.0) == "use:60:tokens:a"
    assert wire.held_use("tokens:a", 0.5) == "use:0.5:tokens:a"
    assert wire.held_budget("a") == "budget:a"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'["ok","g",3,1.5,2,[],7]', b"\xff"])
def test_anything_else_is_no_reply(content: bytes) -> None:
    """A store that lies ends in an error that its link handles."""
    with pytest.raises(ValueError):
        wire.reply(content)


@pytest.mark.parametrize(
    "result",
    [
        [1, ["x"], [], 0, []],
        [1, [1, 2], [], 0, []],
        [1, [1], [[1]], 0, []],
        [1, [1], [], None, []],
        [0, 7, 0.0, [1], [], 0],
        [0, "slots", float("nan"), [1], [], 0],
        [0, "slots", "1", [1], [], 0],
        [],
        7,
        None,
    ],
)
def test_a_wrong_answer_is_none(result: Any) -> None:
    """No wrong type gets further."""
    with pytest.raises((ValueError, TypeError, IndexError)):
        wire.answer(Ask((Holding("slots", 50),)), result, 5.0)


@pytest.mark.parametrize(
    "found",
    [
        [7, ["key"], "a", 2, "1", 0.5, "r"],
        [7, "key", "a", 2, "1", float("inf"), "r"],
        [7, "key", "a", 2, "x", 0, "r"],
        [7, "key", "a", None, "1", 0, "r"],
        [7],
        "x",
    ],
)
def test_a_wrong_message_is_none(found: Any) -> None:
    """Nor here."""
    with pytest.raises((ValueError, TypeError)):
        wire.message(found)


@pytest.mark.parametrize(
    "content", [b'["ok",7,3,1.5,2,[],[]]', b'["ok","g",3,NaN,2,[],[]]', b'["ok","g",3,"x",2,[],[]]']
)
def test_a_wrong_reply_is_none(content: bytes) -> None:
    """Its time and generation are used later."""
    with pytest.raises((ValueError, TypeError)):
        wire.reply(content)
