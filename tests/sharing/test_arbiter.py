"""The store of one machine's workers: on real sockets, in real time; one of two processes is killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Answer, Ask, BudgetUse, Denied, Granted, Holding, Leave, Message, Use
from aibridge_trio.sharing import arbiter as module
from aibridge_trio.sharing.arbiter import Arbiter
from aibridge_trio.sharing.arbiter_backend import ArbiterBackend
from aibridge_trio.sharing.entrance import connect, new_entrance
from aibridge_trio.sharing.frames import FrameStream, frame
from aibridge_trio.sharing.link import Link

ROOT = Path(__file__).parents[2]
SLOT = Ask((Holding("slots", 3),))
LEFT = Leave((("slots", 1),))
# Much longer than anything takes, on a machine that has other things to do.
PATIENT = 20.0

WORKER = """
import socket, sys, trio
from aibridge_trio.core.sharing.needs import *
from aibridge_trio.sharing.arbiter_backend import ArbiterBackend
from aibridge_trio.sharing.frames import FrameStream, frame
from aibridge_trio.sharing.link import Link

async def main():
    backend = ArbiterBackend(socket.socket(fileno=int(sys.argv[1])))
    link = Link(backend, replica_id=sys.argv[2], timeout=20.0, ttl=60.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        uses = (Use("tokens", 100, 3600.0, 40, running=True),)
        ask = Ask((Holding("slots", 3), Holding("slots:b", 3, 2)), uses, BudgetUse("b", 1000, "month", 30))
        print(type(await link.ask(ask)).__name__, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@asynccontextmanager
async def an_arbiter() -> AsyncIterator[tuple[Arbiter, socket.socket]]:
    """An arbiter that serves, and its workers' entrance."""
    arbiter = Arbiter(time.time)  # noqa: TID251 - budgets go by the calendar
    ours, entrance = new_entrance()
    with entrance:
        async with trio.open_nursery() as nursery:
            await nursery.start(arbiter.serve, ours)
            yield arbiter, entrance
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_worker(entrance: socket.socket, name: str, **options: object) -> AsyncIterator[Link]:
    """A link that runs."""
    link = Link(ArbiterBackend(entrance), replica_id=name, timeout=PATIENT, **options)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


async def until_granted(link: Link, ask: Ask) -> tuple[Answer, float]:
    """Ask until it is granted; return how long that took."""
    began = time.perf_counter()
    with trio.fail_after(PATIENT):
        while not isinstance(answer := await link.ask(ask), Granted):
            await trio.sleep(0.01)
    return answer, time.perf_counter() - began


async def test_workers_share_a_limit() -> None:
    """What one gives back, another gets; one that ends gives back all."""
    async with an_arbiter() as (arbiter, entrance), a_worker(entrance, "a") as one:
        async with a_worker(entrance, "b") as other:
            answers = [await link.ask(SLOT) for link in (one, other, other, one)]
            assert [type(each) for each in answers] == [Granted, Granted, Granted, Denied]
            one.leave(LEFT)
            assert isinstance(await one.ask(SLOT), Granted)
        answers = [await one.ask(SLOT) for _ in range(3)]
        assert [type(each) for each in answers] == [Granted, Granted, Denied]
        assert arbiter.ledger.replicas == 1


async def test_messages_are_pushed() -> None:
    """No worker polls for them."""
    found: list[Message] = []
    came = trio.Event()

    def handler(message: Message) -> None:
        found.append(message)
        came.set()

    async with (
        an_arbiter() as (_, entrance),
        a_worker(entrance, "a", ttl=3_000.0) as one,
        a_worker(entrance, "b", ttl=3_000.0) as other,
    ):
        other.on_message("breaker", handler)
        await trio.sleep(0.2)
        await one.call(wire.set_value("breaker", "p", -1, "open", 60.0))
        with trio.fail_after(PATIENT):
            await came.wait()
    assert [(each.key, each.value, each.sender) for each in found] == [("p", "open", "a")]


async def test_a_worker_that_is_killed_holds_nothing() -> None:
    """At once, not when it has been silent for long; what it had running counts as used."""
    async with an_arbiter() as (_, entrance), a_worker(entrance, "a", ttl=60.0) as one:
        command = [sys.executable, "-c", WORKER, str(entrance.fileno()), "b"]
        inherits = (entrance.fileno(),)
        run = partial(trio.run_process, command, stdout=None, check=False, cwd=ROOT, pass_fds=inherits)
        read, write = os.pipe()
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(run, stdout=write, env={**os.environ, "PYTHONPATH": str(ROOT)}))
            os.close(write)
            async with trio.lowlevel.FdStream(read) as output:
                with trio.fail_after(PATIENT):
                    assert (await output.receive_some()).startswith(b"Granted")
            ask = Ask((Holding("slots", 3, 3), Holding("slots:b", 3, 3)))
            assert isinstance(await one.ask(ask), Denied)
            process.send_signal(signal.SIGKILL)
            _, took = await until_granted(one, ask)
        assert took < PATIENT
        answer = await one.ask(
            Ask(uses=(Use("tokens", 100, 3600.0, 60),), budget=BudgetUse("b", 1000, "month", 1))
        )
        assert isinstance(answer, Granted)
        assert (answer.left[0][0], answer.spent) == (0, 30)


async def test_a_worker_that_lives_keeps_what_it_holds_without_a_connection() -> None:
    """It connects again; until then others do not get it."""
    async with an_arbiter() as (arbiter, entrance), a_worker(entrance, "a", ttl=60.0) as one:
        backend = ArbiterBackend(entrance)
        other = Link(backend, replica_id="b", timeout=PATIENT, ttl=60.0)
        async with trio.open_nursery() as nursery:
            await nursery.start(other.run)
            await other.ask(Ask((Holding("slots", 3, 3),)))
            assert backend._connection is not None
            backend._connection.close()
            assert isinstance(await one.ask(SLOT), Denied)
            with trio.fail_after(PATIENT):
                while other.condition == "degraded":
                    await trio.sleep(0.01)
            assert isinstance(await one.ask(SLOT), Denied)
            assert arbiter.ledger.replicas == 2
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"\0\0\0\5hello", b"\0\0\0\2[]", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_worker_is_cut_off(garbage: bytes) -> None:
    """Others notice nothing."""
    async with an_arbiter() as (_, entrance), a_worker(entrance, "a") as one:
        async with trio.SocketStream(trio.socket.from_stdlib_socket(connect(entrance))) as stream:
            await stream.send_all(garbage)
            with trio.fail_after(PATIENT), suppress(trio.BrokenResourceError):
                assert await stream.receive_some() == b""
        assert isinstance(await one.ask(SLOT), Granted)


async def test_a_worker_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and others are served meanwhile."""
    monkeypatch.setattr(module, "_UNREAD", 0.2)
    async with an_arbiter() as (arbiter, entrance), a_worker(entrance, "a") as one:
        batch = wire.Batch("b", 1, "", 3.0, -1, [["register", {}], *([["totals", ["slots"] * 200, []]] * 50)])
        stream = FrameStream(connect(entrance))
        with trio.fail_after(PATIENT), suppress(OSError):
            while True:
                stream.send(frame(batch.encoded()))
                await stream.drain()
                assert isinstance(await one.ask(Ask((Holding("other", 10**6),))), Granted)
        stream.close()
        assert len(arbiter._connections) == 1


async def test_a_process_that_was_held_up_itself_does_not_blame_the_store() -> None:
    """A reply that has come in the meantime is read, however late that is."""
    stop = trio.Event()
    found: list[tuple[trio.lowlevel.TrioToken, socket.socket]] = []

    async def arbitrate() -> None:
        async with an_arbiter() as (_, entrance):
            found.append((trio.lowlevel.current_trio_token(), entrance))
            await stop.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, trio.run, arbitrate)
        with trio.fail_after(PATIENT):
            while not found:
                await trio.sleep(0.01)
        token, entrance = found[0]
        try:
            link = Link(ArbiterBackend(entrance), replica_id="a", timeout=2.0)
            async with trio.open_nursery() as running:
                await running.start(link.run)
                answers: list[Answer] = []

                async def request() -> None:
                    answers.append(await link.ask(SLOT))

                running.start_soon(request)
                while not link._session._sent:
                    await trio.lowlevel.checkpoint()
                time.sleep(3.0)
                with trio.fail_after(PATIENT):
                    while not answers:
                        await trio.sleep(0.01)
                assert [type(each) for each in answers] == [Granted]
                assert link.condition == "shared"
                running.cancel_scope.cancel()
        finally:
            token.run_sync_soon(stop.set)
