"""The store of a simulation, and the ways to it."""

from __future__ import annotations

from aibridge_trio.core.sharing import wire
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.store import Store, Way

# After the time in which nothing is lost.
_FROM = 1.0


def batch(number: int, *ops: wire.Op, generation: str = "") -> wire.Batch:
    """Return a batch of a replica."""
    return wire.Batch("r", number, generation, 3.0, -1, list(ops))


def sent(sharing: FleetSharing, batches: int, cut: tuple[float, float] | None = None) -> list[tuple[float, int]]:
    """Send so many batches, one each 0.1 s; return when each was answered."""
    clock = Engine()
    way = Way(Store(clock), clock, sharing, seed="1", cut=cut)
    found: list[tuple[float, int]] = []

    def send(one: wire.Batch) -> None:
        way.connect()
        way.send(one, lambda reply: found.append((clock.now, reply[0])))

    for number in range(1, batches + 1):
        clock.at(_FROM + number / 10, send, batch(number, ["register", {}]))
    clock.run()
    return found


def test_a_batch_takes_the_time_of_its_way() -> None:
    """There and back, and half more or less; in order."""
    found = sent(FleetSharing(round_trip=0.04), 50)
    assert [number for _, number in found] == list(range(1, 51))
    took = [at - _FROM - number / 10 for at, number in found]
    assert 0.02 <= min(took) < 0.03
    assert 0.05 < max(took) <= 0.06
    assert sent(FleetSharing(round_trip=0.04), 50) == found
    slow = sent(FleetSharing(round_trip=1.0), 50)
    assert slow == sorted(slow, key=lambda each: each[1])


def test_some_are_lost() -> None:
    """About so many as is said, and all while the way is cut."""
    assert 60 < len(sent(FleetSharing(loss=0.3), 100)) < 85
    assert [number for _, number in sent(FleetSharing(), 6, cut=(1.15, 1.45))] == [1, 5, 6]


def test_behind_what_is_lost_nothing_arrives_until_the_replica_connects() -> None:
    """As on a connection; what was sent on the one before arrives all the same, and its reply does not matter."""
    clock = Engine()
    way = Way(Store(clock), clock, FleetSharing(), seed="1", cut=(2.0, 2.1))
    found: list[int] = []
    for number in range(1, 6):
        clock.at(
            1.97 + number / 20,
            lambda one: way.send(one, lambda reply: found.append(reply[0])),
            batch(number, ["register", {}]),
        )
    clock.at(2.18, lambda _: way.connect())
    clock.run()
    assert found == [5]


def test_a_message_wakes_all_replicas() -> None:
    """Of a value that one of them has set."""
    clock = Engine()
    store = Store(clock)
    ways = [Way(store, clock, FleetSharing(), seed=f"{number}", cut=None) for number in range(2)]
    woken: list[int] = []
    for number, way in enumerate(ways):
        way.on_wake = lambda number=number: woken.append(number)  # type: ignore[misc]
    ways[0].send(batch(1, ["register", {}], wire.set_value("topic", "key", -1, "value", 60.0)), lambda _: None)
    clock.run()
    assert sorted(woken) == [0, 1]
