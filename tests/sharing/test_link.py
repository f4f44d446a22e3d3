"""The store of a replica, over a way that fails in each way there is. In virtual time."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Answer, Ask, Away, Denied, Granted, Holding, Leave, Message, Use
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.store import Store
from tests.support.memory_store import MemoryBackend, MemoryStore, ops_of

SLOT = Ask((Holding("slots", 2),))
LEFT = Leave((("slots", 1),))


def condition_of(link: Link) -> str:
    """The condition, which changes."""
    return link.condition


@asynccontextmanager
async def linked(backend: MemoryBackend, name: str = "a", **options: object) -> AsyncIterator[Link]:
    """A link that runs."""
    link = Link(backend, replica_id=name, **options)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


async def test_replicas_share_a_limit(autojump_clock: MockClock) -> None:
    """What one gives back, another gets."""
    store = MemoryStore()
    async with linked(MemoryBackend(store), "a") as one, linked(MemoryBackend(store), "b") as other:
        typed: Store = one
        assert (typed.shared, typed.condition, typed.settled()) == (True, "shared", True)
        assert [type(await link.ask(SLOT)) for link in (one, other, one)] == [Granted, Granted, Denied]
        other.leave(LEFT)
        await trio.sleep(0.001)
        assert isinstance(await one.ask(SLOT), Granted)
        await trio.sleep(2)
        assert one.replicas == other.replicas == 2


async def test_asks_of_the_same_moment_are_one_batch(autojump_clock: MockClock) -> None:
    """So are leaves."""
    store = MemoryStore()
    backend = MemoryBackend(store, delay=0.001)
    async with linked(backend) as link:
        before = len(backend.executed)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(link.ask, SLOT)
        assert [len(ops_of(batch)) for batch in backend.executed[before:]] == [50]


async def test_an_end_is_known_at_once(autojump_clock: MockClock) -> None:
    """What the replica still holds is given back; it is no replica any more."""
    store = MemoryStore()
    async with linked(MemoryBackend(store), "a") as link:
        await link.ask(SLOT)
        assert store.total("slots") == 1
    assert (store.total("slots"), store.ledger.replicas) == (0, 0)


async def in_time(link: Link, *, most: float = 0.05) -> tuple[Answer, float]:
    """Ask; return the answer and how long it took."""
    began = trio.current_time()
    answer = await link.ask(SLOT)
    return answer, trio.current_time() - began


@pytest.mark.parametrize("fault", ["cut", "deaf"])
async def test_a_silent_store_keeps_no_request_waiting(autojump_clock: MockClock, fault: str) -> None:
    """The first is answered at the deadline, and so those that came after it; then all are answered at once."""
    backend = MemoryBackend(MemoryStore())
    async with linked(backend) as link:
        setattr(backend, fault, True)
        answers: list[tuple[Answer, float]] = []

        async def later(seconds: float) -> None:
            await trio.sleep(seconds)
            answers.append(await in_time(link))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later, 0.0)
            nursery.start_soon(later, 0.02)
        assert [answer for answer, _ in answers] == [Away(), Away()]
        assert sorted(round(took, 9) for _, took in answers) == [0.03, 0.05]
        assert (link.condition, link.settled()) == ("degraded", False)
        assert await in_time(link) == (Away(), 0.0)
        await trio.sleep(5)
        assert await in_time(link) == (Away(), 0.0)


async def test_it_returns_by_itself(autojump_clock: MockClock) -> None:
    """Within seconds. For a while parts hold, too: of slots until silent replicas are known, then of spans."""
    backend = MemoryBackend(MemoryStore())
    seen: list[tuple[str, int]] = []
    reports: list[str] = []
    async with linked(backend, report=reports.append) as link:
        link.on_condition(lambda store: seen.append((store.condition, store.replicas)))
        backend.refuse = True
        backend.reset_connection()
        await link.ask(SLOT)
        assert condition_of(link) == "degraded"
        await trio.sleep(10)
        backend.refuse = False
        await trio.sleep(0.3)
        returned = trio.current_time()
        assert condition_of(link) == "settling"
        assert isinstance(await link.ask(SLOT), Granted)
        assert not link.settled()
        await trio.sleep_until(returned + 3)
        assert link.settled()
        assert link.settled(1.0)
        assert not link.settled(60.0)
        await trio.sleep_until(returned + 61)
        assert link.settled(3600.0)
    assert seen == [("degraded", 1), ("settling", 1), ("shared", 1)]
    assert reports == ["refused"]


async def test_without_a_store_at_the_start_the_replica_has_its_part(autojump_clock: MockClock) -> None:
    """It starts all the same, in time. Nothing is to be settled: it has admitted nothing."""
    backend = MemoryBackend(MemoryStore())
    backend.cut = True
    began = trio.current_time()
    async with linked(backend) as link:
        assert trio.current_time() - began <= 1.0
        assert await link.ask(SLOT) == Away()
        backend.cut = False
        await trio.sleep(1.5)
        assert condition_of(link) == "shared"


async def test_closed(autojump_clock: MockClock) -> None:
    """Nothing was admitted while the store was away, so only slots are to be settled."""
    backend = MemoryBackend(MemoryStore())
    async with linked(backend, failure="closed") as link:
        backend.cut = True
        assert await link.ask(SLOT) == Away()
        assert condition_of(link) == "closed"
        backend.cut = False
        await trio.sleep(1.5)
        assert condition_of(link) == "settling"
        assert not link.settled()
        await trio.sleep(3)
        assert condition_of(link) == "shared"
        assert link.settled(60.0)


@pytest.mark.parametrize("failure", ["local", "closed"])
async def test_the_first_that_is_back_holds_to_its_part(autojump_clock: MockClock, failure: str) -> None:
    """The store may have taken what others hold: they were silent for too long, as all were."""
    store = MemoryStore()
    first, second = MemoryBackend(store), MemoryBackend(store)
    async with linked(first, "a", failure=failure) as one, linked(second, "b", failure=failure) as other:
        assert [type(await other.ask(SLOT)) for _ in range(2)] == [Granted, Granted]
        await trio.sleep(1.5)
        for backend in (first, second):
            backend.refuse = True
            backend.reset_connection()
        await trio.sleep(10)
        first.refuse = False
        await trio.sleep(2.5)
        assert (store.total("slots"), one.replicas, one.settled()) == (0, 2, False)
        second.refuse = False
        await trio.sleep(2.5)
        assert (store.total("slots"), one.replicas, one.settled()) == (2, 2, True)


async def test_what_is_held_without_the_store_is_known_to_it_later(autojump_clock: MockClock) -> None:
    """Beyond limits, too; what was used is posted once, whatever batch was executed."""
    store = MemoryStore()
    backend = MemoryBackend(store)
    ask = Ask((Holding("slots", 2),), (Use("rate", 10, 60.0),))
    async with linked(backend) as link:
        backend.deaf = True
        assert await link.ask(ask) == Away()
        for _ in range(3):
            link.hold(ask)
        link.leave(LEFT)
        await trio.sleep(2)
        backend.deaf = False
        await trio.sleep(2)
        assert store.total("slots") == 2
        answer = await link.ask(Ask(uses=(Use("rate", 10, 60.0),)))
        # One was counted before the contact broke, three were posted, and this is the fifth.
        assert isinstance(answer, Granted)
        assert answer.left[0][0] == 5
        link.hold(SLOT)
        await trio.sleep(0.1)
        assert store.total("slots") == 3


async def test_content_that_is_lost_is_registered_again(autojump_clock: MockClock) -> None:
    """Parts hold for a while, also for what was asked before that was known."""
    store = MemoryStore()
    async with linked(MemoryBackend(store)) as link:
        await link.ask(SLOT)
        store.reset()
        answers = [await link.ask(SLOT) for _ in range(3)]
        assert [type(each) for each in answers] == [Away, Granted, Denied]
        assert store.total("slots") == 2
        assert (link.condition, link.settled()) == ("settling", False)


async def test_a_replica_that_dies_loses_what_it_holds(autojump_clock: MockClock) -> None:
    """After the time to live, with the next batch of another."""
    store = MemoryStore()
    dying = MemoryBackend(store)
    async with linked(MemoryBackend(store), "a") as one, linked(dying, "b") as other:
        await other.ask(SLOT)
        dying.cut = True
        await trio.sleep(4.1)
        assert store.total("slots") == 0
        assert one.replicas == 1
        dying.cut = False
        await trio.sleep(3)
        assert store.total("slots") == 1
        assert one.replicas == 2


async def test_messages_come_at_once(autojump_clock: MockClock) -> None:
    """Within 100 ms, without polling; those that are kept come to a replica that joins later."""
    store = MemoryStore()
    backend = MemoryBackend(store)
    found: list[tuple[str, Message, float]] = []

    def handler(name: str) -> Callable[[Message], None]:
        return lambda message: found.append((name, message, trio.current_time()))

    async with linked(backend, "a") as one, linked(MemoryBackend(store, delay=0.01), "b") as other:
        other.on_message("breaker", handler("b"))
        await trio.sleep(0.5)
        began = trio.current_time()
        assert await one.call(wire.set_value("breaker", "openai", -1, {"state": "open"}, 60.0)) == [1, 1]
        await trio.sleep(0.1)
        ((name, message, at),) = found
        assert (name, message.topic, message.key, message.value) == ("b", "breaker", "openai", {"state": "open"})
        assert at - began <= 0.1
        late = Link(MemoryBackend(store), replica_id="c")
        late.on_message("breaker", handler("c"))
        async with trio.open_nursery() as nursery:
            await nursery.start(late.run)
            assert found[1][0] == "c"
            nursery.cancel_scope.cancel()
        before = store.batches
        await trio.sleep(10)
        assert store.batches - before <= 22


async def test_messages_are_polled_while_listening_fails(autojump_clock: MockClock) -> None:
    """Ten times a second."""

    class Deaf(MemoryBackend):
        async def listen(self, wake: Callable[[], None]) -> None:
            self.refuse, before = True, self.refuse
            try:
                await super().listen(wake)
            finally:
                self.refuse = before

    store = MemoryStore()
    found: list[float] = []
    async with linked(MemoryBackend(store), "a") as one, linked(Deaf(store), "b") as other:
        other.on_message("t", lambda _message: found.append(trio.current_time()))
        await trio.sleep(3)
        began = trio.current_time()
        await one.call(wire.set_value("t", "k", -1, 1, 60.0))
        await trio.sleep(1)
        assert found[0] - began <= 0.1


async def test_a_handler_that_fails_ends_nothing(autojump_clock: MockClock) -> None:
    """What others make up is reported, without what it was."""
    store = MemoryStore()
    reports: list[str] = []
    async with linked(MemoryBackend(store), report=reports.append) as link:
        link.on_message("t", lambda message: message.value["secret"])  # type: ignore[index]
        await link.call(wire.set_value("t", "k", -1, 1, 60.0))
        await trio.sleep(1)
        assert reports == ["a message about t was not understood (TypeError)"]
        assert condition_of(link) == "shared"


LIES = [
    b"",
    b"[]",
    b"{}",
    b"\xff",
    b"[" * 100_000,
    b'["ok",1,2,3,4,5,6]',
    b'["ok","g",1,1.0,1,[],[[1,[1],[],0,[]]]]',
    b'["stale","g",1,1.0,1,[],[]]',
    b'["lost","g",1,1.0,1,[],[]]',
    b'["ok","g",1,1.0,1,[[1e999]],[[]]]',
    b'["ok","g",1e999,1.0,1e999,[],[[0,[],1]]]',
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
async def test_a_store_that_lies_is_away(autojump_clock: MockClock, lie: bytes) -> None:
    """No request fails or waits for it, and nothing is held by mistake."""
    store = MemoryStore()
    backend = MemoryBackend(store)
    async with linked(backend) as link:
        assert isinstance(await link.ask(SLOT), Granted)
        backend.lie = lie
        answer, took = await in_time(link)
        assert answer == Away()
        assert took <= 0.05
        await trio.sleep(3)
        backend.lie = None
        await trio.sleep(3)
        assert store.total("slots") == 1
        assert condition_of(link) == "settling"


async def test_a_slow_store_is_not_asked_in_vain(autojump_clock: MockClock) -> None:
    """Contact is made only with a store that answers in time."""
    backend = MemoryBackend(MemoryStore())
    async with linked(backend) as link:
        backend.delay = 0.4
        await trio.sleep(1.5)
        took = []
        for _ in range(200):
            took.append((await in_time(link))[1])
            await trio.sleep(0.05)
        assert max(took) <= 0.05 + 1e-9
        # The delay is at random: sometimes it is short enough when contact is made.
        assert sum(each > 0 for each in took) <= 20


async def test_requests_leave_no_cycles() -> None:
    """Memory is free without the garbage collector."""
    async with linked(MemoryBackend(MemoryStore())) as link:
        await link.ask(SLOT)
        gc.collect()
        gc.disable()
        try:
            for _ in range(100):
                await link.ask(SLOT)
                link.leave(LEFT)
            assert gc.collect() == 0
        finally:
            gc.enable()


@pytest.mark.parametrize("turns", range(12))
async def test_a_request_that_is_cancelled_at_any_moment_holds_nothing(
    autojump_clock: MockClock, turns: int
) -> None:
    """Before its batch is sent, on the way, when the answer is there: it counts nothing, either."""
    store = MemoryStore()
    ask = Ask((Holding("slots", 2),), (Use("rate", 10, 600.0), Use("tokens", 100, 600.0, 7, running=True)))
    async with linked(MemoryBackend(store)) as link:

        async def request() -> None:
            answer = await link.ask(ask)
            assert isinstance(answer, Granted)
            link.leave(Leave.unused(ask, answer))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(request)
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        await trio.sleep(0.01)
        assert store.total("slots") == 0
        uses = (Use("rate", 10, 600.0, 0), Use("tokens", 100, 600.0, 0, running=True))
        answer = await link.ask(Ask(uses=uses))
        assert isinstance(answer, Granted)
        assert [left for left, _ in answer.left] == [10, 100]


async def test_an_end_leaves_no_request_waiting(autojump_clock: MockClock) -> None:
    """What waits is away, even if the store is silent, and so is what comes later."""
    backend = MemoryBackend(MemoryStore())
    link = Link(backend, replica_id="a", timeout=10.0)
    answers: list[Answer] = []

    async def request() -> None:
        answers.append(await link.ask(SLOT))

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as running:
            await running.start(link.run)
            backend.cut = True
            nursery.start_soon(request)
            await trio.sleep(0.1)
            running.cancel_scope.cancel()
        assert trio.current_time() <= 1.2
    await request()
    assert answers == [Away(), Away()]
