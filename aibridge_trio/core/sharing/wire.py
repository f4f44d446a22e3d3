"""Batches and replies as JSON. The script in Redis and the ledger in Python speak both.

Batch: `[replica, number, generation, ttl, since, ops]`
    replica     The id of the replica: new with every start of a process.
    number      Of the batch, higher than that of the one before; a batch that arrives late is not executed.
    generation  Of the store's content, as `register` returned it.
    ttl         Seconds after which a silent replica loses what it holds.
    since       The number of the last message that the replica knows, -1 to get none.
    ops         Lists: a name, and its arguments; at most 1,000, each list in them with at most 256 entries.

Reply: `[status, generation, last, time, replicas, messages, results]`
    status      `ok`; `stale`: a later batch came before this one; `lost`: the replica must register first. Then
                nothing was executed, and results are empty.
    last        The number of the replica's last batch that was executed, this one included.
    time        Seconds, by the store's clock, which never goes back.
    replicas    How many are not silent.
    messages    `[number, topic, key, version, value, age, sender]` each, those after `since`, at most 100; none in
                the reply to `register`. `value` is JSON in a string.
    results     One for each op.

Ops:
    ["register", {key: amount}]
        Hold exactly this, beyond limits too; the first op of its batch, which is executed whatever its generation.
        Result: the number of the last message, the messages that are kept, the number of the replica's last
        batch with other ops that was executed before this one (0 if there was none), and how old the content is if
        a replica has known other content before, which was lost (else -1). A replica that was reaped is
        remembered for that number for an hour. With the first one that has known other content there is a message
        of the topic `lost`, which is not kept.
    ["ask", holdings, uses, budget]
        [[key, limit, amount, soft]…], [[key, amount, span, count, running, soft]…], [key, tokens, per, estimate]
        or 0. Result: [1, [total…], [[left, reset]…], spent, [short key…]], or
        [0, key, wait, [total…], [[left, reset]…], spent].
    ["leave", holdings, settled, budget, uncounted]
        [[key, amount]…], [[key, span, estimate, used]…], [key, estimate, used] or 0, [[key, span, at]…].
        Result: 0.
    ["totals", [key…], [key…]]
        What all replicas hold. Result: [total…]. When one of these becomes less, there is one message of the
        topic `freed`, with the key, which is not kept; the next one after another `totals`. The other keys are
        those for which requests of the replica wait: for 0.3 s after it an `ask` of a replica that holds more,
        or as much and has waited for less long, is denied.
    ["tally", key, span, [count…]]
        Add counts; return their sums over the last span (by 16ths of it), own ones included.
    ["set", topic, key, version, value, keep]
        Set a value (JSON in a string, at most 8 KB) and tell all replicas, if its version is this one, or if that
        is -1, or if the store knows no version. It is kept for `keep` seconds, for replicas that register later;
        its version a while longer, unless `keep` is 0. Result: [1, new version] or [0, version, value].
    ["claim", name, seconds]
        Be the only replica with this claim for so long; the replica that has it renews it, or ends it with 0
        seconds. Result: 1 or 0.
    ["forget"]
        The replica ends: all it holds is given back; the last op of its batch. Result: 0.

Running uses and reserved budgets are held under the names of `held_use` and `held_budget`, in `register` too.
A batch that is none is executed in no part; the store answers it with an error.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from aibridge_trio.core.sharing.needs import Answer, Ask, Denied, Granted, Leave, Message

Op = list[Any]
# The first part of what running uses and reserved budgets are held under.
USE, BUDGET = "use:", "budget:"
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Reply(NamedTuple):
    """A store's reply to a batch; see above."""

    status: str
    generation: str
    last: int
    time: float
    replicas: int
    messages: list[list[Any]]
    results: list[Any]


class Batch(NamedTuple):
    """What a replica sends in one round trip; see above."""

    replica: str
    number: int
    generation: str
    ttl: float
    since: int
    ops: list[Op]

    def encoded(self) -> bytes:
        """Return it as JSON."""
        return _ENCODER.encode(self).encode()


def reply(content: bytes) -> Reply:
    """Read a reply; raises ValueError for anything else."""
    found = json.loads(content)
    if not isinstance(found, list) or len(found) != len(Reply._fields) or not isinstance(found[-1], list | dict):
        raise ValueError("no reply of a store")
    # An empty list of the script is {}: Lua has tables only.
    status, generation, last, time, replicas, messages, results = found
    if not isinstance(generation, str) or not 0 <= time < math.inf:
        raise ValueError("no reply of a store")
    return Reply(status, generation, last, time, replicas, list(messages), list(results))


def ask(needs: Ask) -> Op:
    """Return the op for what a request needs."""
    holdings = [[each.key, each.limit, each.amount, int(each.soft)] for each in needs.holdings]
    uses = [
        [each.key, each.amount, each.span, each.count, int(each.running), int(each.soft)] for each in needs.uses
    ]
    budget = needs.budget
    return ["ask", holdings, uses, [budget.key, budget.tokens, budget.per, budget.estimate] if budget else 0]


def answer(needs: Ask, result: list[Any], at: float) -> Answer:
    """Read the result of an `ask`; `at` is the reply's time. Raises ValueError or TypeError if it is none."""
    keys = [each.key for each in needs.holdings]
    if result[0]:
        _, totals, left, spent, short = result
        return Granted(at, _totals(keys, totals), _pairs(left), int(spent), tuple(map(str, short)))
    _, key, wait, totals, left, spent = result
    if not isinstance(key, str) or not 0 <= wait < math.inf:
        raise ValueError("no answer of a store")
    return Denied(key, wait, _totals(keys, totals), _pairs(left), int(spent))


def leave(left: Leave) -> Op:
    """Return the op for what a request gives back."""
    settled = [[each.key, each.span, each.estimate, each.used] for each in left.settled]
    return ["leave", left.holdings, settled, left.budget or 0, left.uncounted]


def held_use(key: str, span: float) -> str:
    """Return what a running use is held under. With another span it counts anew."""
    return f"{USE}{span:.14g}:{key}"


def held_budget(key: str) -> str:
    """Return what the estimates of a budget are held under."""
    return BUDGET + key


def set_value(topic: str, key: str, version: int, value: object, keep: float) -> Op:
    """Return the op that sets a value; raises ValueError if it is not JSON."""
    return ["set", topic, key, version, json.dumps(value, separators=(",", ":"), allow_nan=False), keep]


def was_set(result: list[Any]) -> tuple[bool, int, object]:
    """Read the result of a `set`: whether it was done, the present version, and the value of another replica's."""
    return (True, result[1], None) if result[0] else (False, result[1], json.loads(result[2]))


def message(found: list[Any]) -> Message:
    """Read one of a reply's messages."""
    _, topic, key, version, value, age, sender = found
    if not (isinstance(topic, str) and isinstance(key, str) and 0 <= age < math.inf):
        raise ValueError("no message of a store")
    return Message(topic, key, int(version), json.loads(value), age, str(sender))


def _totals(keys: list[str], found: list[int]) -> dict[str, int]:
    return dict(zip(keys, map(int, found), strict=True))


def _pairs(found: list[list[float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(left), float(reset)) for left, reset in found)
