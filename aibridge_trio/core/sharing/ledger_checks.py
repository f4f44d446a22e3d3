"""Whether a batch is one: checked as a whole before any of it is executed, so that an error changes nothing.

The script in Redis checks the same (`checks` in store.lua).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aibridge_trio.core.sharing.wire import USE, Batch

# Amounts and counts; sums of many of them are still exact as floats, which is all that Lua has.
MOST = 1 << 50
# Seconds: spans, times to keep, claims.
LONGEST = 366 * 86_400.0
# Seconds of silence after which a replica loses what it holds.
SHORTEST_TTL, LONGEST_TTL = 0.1, 3_600.0
# Bytes of a key or name, and of a value.
LONGEST_TEXT, LONGEST_VALUE = 512, 8_192
# Ops of a batch; needs of an ask, entries of other lists; holdings that a replica registers.
MOST_OPS, MOST_ENTRIES, MOST_HELD = 1_000, 256, 1_000_000
_PERIODS = ("day", "week", "month")


def check(batch: Batch) -> None:
    """Raise ValueError unless a ledger can execute the batch."""
    replica, number, generation, ttl, since, ops = batch
    _text(replica)
    _whole(number)
    _text(generation, least=0)
    _seconds(ttl, SHORTEST_TTL, LONGEST_TTL)
    if since != -1:
        _whole(since)
    for place, op in enumerate(_list(ops, MOST_OPS)):
        name, *arguments = _list(op)
        if (name == "register" and place) or (name == "forget" and place != len(ops) - 1):
            raise ValueError("register is the first op, forget the last")
        try:
            _OPS[name](*arguments)
        except (KeyError, TypeError) as error:
            raise ValueError("no op of a ledger") from error


def _register(held: Any) -> None:
    if not isinstance(held, dict) or len(held) > MOST_HELD:
        raise ValueError("no holdings")
    for key, amount in held.items():
        _holding(key)
        _whole(amount)


def _ask(holdings: Any, uses: Any, budget: Any) -> None:
    for key, limit, amount, soft in _list(holdings):
        _holding(key)
        _whole(limit)
        _whole(amount)
        _flag(soft)
    for key, amount, span, count, running, soft in _list(uses):
        _text(key)
        _whole(amount)
        _seconds(span)
        _whole(count)
        _flag(running)
        _flag(soft)
    if budget != 0:
        key, tokens, per, estimate = _list(budget)
        _text(key)
        _whole(tokens)
        if per not in _PERIODS:
            raise ValueError("no period")
        _whole(estimate)


def _leave(holdings: Any, settled: Any, budget: Any, uncounted: Any) -> None:
    for key, amount in _list(holdings):
        _text(key)
        _whole(amount)
    for key, span, estimate, used in _list(settled):
        _text(key)
        _seconds(span)
        _whole(estimate)
        _whole(used)
    if budget != 0:
        key, estimate, used = _list(budget)
        _text(key)
        _whole(estimate)
        _whole(used)
    for key, span, at in _list(uncounted):
        _text(key)
        _seconds(span)
        _seconds(at, 0.0, float(MOST))


def _totals(keys: Any, waiting: Any) -> None:
    for key in (*_list(keys), *_list(waiting)):
        _text(key)


def _tally(key: Any, span: Any, counts: Any) -> None:
    _text(key)
    _seconds(span)
    for count in _list(counts, 16):
        _whole(count)


def _set(topic: Any, key: Any, version: Any, value: Any, keep: Any) -> None:
    _text(topic)
    _text(key, least=0)
    if version != -1:
        _whole(version)
    _text(value, LONGEST_VALUE)
    _seconds(keep, 0.0)


def _claim(name: Any, seconds: Any) -> None:
    _text(name)
    _seconds(seconds, 0.0)


def _forget() -> None:
    pass


_OPS: dict[str, Callable[..., None]] = {
    "register": _register,
    "ask": _ask,
    "leave": _leave,
    "totals": _totals,
    "tally": _tally,
    "set": _set,
    "claim": _claim,
    "forget": _forget,
}


def _list(found: Any, most: int = MOST_ENTRIES) -> list[Any] | tuple[Any, ...]:
    if not isinstance(found, list | tuple) or len(found) > most:
        raise ValueError("no list")
    return found


def _text(found: Any, most: int = LONGEST_TEXT, least: int = 1) -> None:
    # Characters have at most 4 bytes.
    if not isinstance(found, str) or len(found) < least or (4 * len(found) > most < len(found.encode())):
        raise ValueError("no text, or a long one")


def _holding(found: Any) -> None:
    _text(found)
    if found.startswith(USE):
        span, _, _ = found[len(USE) :].partition(":")
        try:
            _seconds(float(span))
        except ValueError as error:
            raise ValueError("no span in a name") from error
        if f"{float(span):.14g}" != span:
            raise ValueError("no span in a name")


def _whole(found: Any) -> None:
    if type(found) is not int or not 0 <= found <= MOST:
        raise ValueError("no amount")


def _seconds(found: Any, least: float = 0.001, most: float = LONGEST) -> None:
    if type(found) not in {int, float} or not least <= found <= most:
        raise ValueError("no time")


def _flag(found: Any) -> None:
    if type(found) is not int or found not in {0, 1}:
        raise ValueError("neither 0 nor 1")
