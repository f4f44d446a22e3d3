"""A provider's keys on Trio: what is published, replaced, and never shown."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.errors import KeysResting
from aibridge_trio.events import Event, KeyChanged
from tests.support.keys import keys_of, tables


def told(events: list[Event]) -> list[tuple[str, KeyState]]:
    return [(each.label, each.state) for each in events if isinstance(each, KeyChanged)]


async def test_ends_of_rests_are_published_when_they_come(autojump_clock: MockClock) -> None:
    """Without a request, at the time, and a rest that begins meanwhile is not missed."""
    events: list[Event] = []
    keys = keys_of("a", "b", clock=trio.current_time, publish=events.append)
    [first, second] = keys.pool
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys.run)
        await trio.sleep(1)
        keys.refused(first, KeyFault.RATE, 50.0, None, 0.0)
        await trio.sleep(1)
        keys.refused(second, KeyFault.RATE, 5.0, None, 0.0)
        await trio.sleep(5.5)
        assert told(events) == [
            ("key-1", KeyState.RESTING),
            ("key-2", KeyState.RESTING),
            ("key-2", KeyState.READY),
        ]
        await trio.sleep(45)
        assert told(events)[3:] == [("key-1", KeyState.READY)]
        nursery.cancel_scope.cancel()


def test_frequent_changes_are_published_rarely() -> None:
    """Those of a key that rests twice a second every ten seconds, of one that is not accepted every minute."""
    events: list[Event] = []
    now = 0.0
    keys = keys_of("a", "b", clock=lambda: now, publish=events.append)
    key = next(iter(keys.pool))
    for step in range(120):
        now = step / 2
        keys.refused(key, KeyFault.RATE, 0.4, None, now)
    assert len(events) == 6
    assert keys.pool.rests == 120
    for step in range(240):
        now = 100 + step / 2
        keys.refused(key, KeyFault.INVALID, None, None, now)
    assert len(events) == 8


@pytest.mark.parametrize(
    ("fault", "hint", "seconds"),
    [
        (KeyFault.RATE, None, 30.0),
        (KeyFault.RATE, 2.0, 2.0),
        (KeyFault.RATE, 100_000.0, 300.0),
        (KeyFault.SPENT, None, 300.0),
        (KeyFault.SPENT, 2.0, 2.0),
    ],
)
def test_how_long_a_key_rests(fault: KeyFault, hint: float | None, seconds: float) -> None:
    """The provider's hint up to the longest cooldown; without one the cooldown, and the longest if it is spent."""
    keys = keys_of("a", "b")
    first, second = keys.pool
    keys.refused(first, fault, hint, None, 0.0)
    keys.check(None)
    keys.refused(second, fault, hint, None, 0.0)
    with pytest.raises(KeysResting) as caught:
        keys.check(None)
    assert caught.value.wait == seconds
    keys.check("another scope")


def test_other_keys_in_the_configuration() -> None:
    """A key that stays rests on; one that was out is tried again; a new one is published, and sent."""
    events: list[Event] = []
    keys = keys_of("a", "b", "c", publish=events.append)
    a, b, c = keys.pool
    keys.refused(a, KeyFault.RATE, 9.0, None, 0.0)
    keys.refused(b, KeyFault.INVALID, None, None, 0.0)
    used = keys.choose(None, 0.0, [])
    assert used is c
    events.clear()
    keys.apply([*tables("a", "b")[::-1], KeyTable(label="new", secret=Secret("d"))], "least-used")
    assert told(events) == [("new", KeyState.READY), ("key-2", KeyState.READY)]
    assert [(each.label, each.state) for each in keys.statistics()] == [
        ("key-2", KeyState.READY),
        ("key-1", KeyState.RESTING),
        ("new", KeyState.READY),
    ]
    assert [keys.sent(key).secret for key in keys.pool] == [b"b", b"a", b"d"]
    keys.pool.give_back(used)
    assert keys.several


def test_no_repr_shows_a_key() -> None:
    """Neither of the keys, nor of what is sent, nor of an event."""
    events: list[Event] = []
    keys = keys_of("sk-canary-1", "sk-canary-2", publish=events.append)
    for key in keys.pool:
        keys.refused(key, KeyFault.INVALID, None, None, 0.0)
    shown = [repr(keys), repr(keys.pool), repr(list(keys.pool)), repr(events), repr(keys.statistics())]
    shown += [repr(keys.sent(key)) for key in keys.pool]
    assert "canary" not in "".join(shown)
    assert "sk-" not in "".join(shown)


def test_what_is_said_of_a_key_that_was_replaced_is_past() -> None:
    """A 401 to a request that went up before the key's file changed takes nothing out, and is not published."""
    events: list[Event] = []
    keys = keys_of("a", "b", publish=events.append)
    old = keys.choose(None, 0.0, [])
    keys.apply([KeyTable(label="key-1", secret=Secret("new")), KeyTable(label="key-2", secret=Secret("b"))])
    events.clear()
    keys.refused(old, KeyFault.INVALID, None, None, 0.0)
    keys.refused(old, KeyFault.RATE, 9.0, None, 0.0)
    assert not events
    assert {each.state for each in keys.statistics()} == {KeyState.READY}
