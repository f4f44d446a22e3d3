"""The bounds on one connection: heads, bodies and what is discarded, in time and bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.server.connection_timeouts import ALL_HEADS, FREE_HEAD, HeadBudget
from tests.server.test_connection import GET, MIB, OK, Serve, ok, post, serve, until_left
from tests.server.test_reader import refuse

__all__ = ["serve"]


@given(st.lists(st.integers(0, 64 * 1024), max_size=9), st.integers(0, 300_000))
def test_heads_share_a_budget(sizes: list[int], budget: int) -> None:
    """What is beyond the free part is taken once, however it grew, and given back."""
    heads = HeadBudget(budget)
    granted = 0
    held = []
    for size in sizes:
        beyond = max(0, size - FREE_HEAD)
        assert heads.grow(0, size) is (granted + beyond <= budget)
        if granted + beyond <= budget:
            granted += beyond
            held.append(size)
    for size in held:
        assert heads.grow(size, size)
        assert heads.grow(size, 0)
    assert heads.grow(0, FREE_HEAD + budget)


async def test_long_heads_that_do_not_end_are_bounded_in_all(autojump_clock: MockClock, serve: Serve) -> None:
    """A head beyond the budget gets 431; ordinary heads are served; callers that leave free the budget."""
    site = await serve(ok)
    long = b"GET / HTTP/1.1\r\nhost: s\r\nx: " + b"x" * 60_000
    fit = ALL_HEADS // (len(long) - FREE_HEAD)
    callers = [await site.call(long) for _ in range(fit)]
    beyond = await site.call(long)
    assert beyond.heard().startswith(b"HTTP/1.1 431 ")
    assert not any(caller.closed for caller in callers)
    assert (await site.call(GET)).heard() == OK
    slow = await site.call(GET[:-4])
    await slow.say(b"\r\n\r\n")
    await wait_all_tasks_blocked()
    assert slow.heard() == OK
    await callers[0].say(b"\r\n\r\n")
    await callers[1].leave()
    await wait_all_tasks_blocked()
    assert callers[0].heard() == OK
    for _ in range(2):
        assert (await site.call(long)).heard() == b""
    await trio.sleep(31)
    assert callers[2].heard().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("seconds", [5, 620])
async def test_a_connection_may_idle_as_long_as_it_is_reported(
    autojump_clock: MockClock, serve: Serve, seconds: int
) -> None:
    """Longer than a balancer in front keeps it, so that no request meets a closing connection."""
    caller = await (await serve(ok, keep_alive=seconds)).call(GET)
    await trio.sleep(seconds - 1)
    assert not caller.closed
    await trio.sleep(2)
    assert caller.closed


async def test_small_rests_do_not_add_up(autojump_clock: MockClock, serve: Serve) -> None:
    """A connection is no worse for what was thrown away on it; stopped when idle, it ends at once."""
    site = await serve(refuse)
    caller = await site.call()
    for _ in range(350):
        await caller.say(post(100_000))
        await wait_all_tasks_blocked()
        assert caller.heard().startswith(b"HTTP/1.1 429 ")
        await caller.say(b"x" * 100_000)
    await wait_all_tasks_blocked()
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert caller.wire.closed


async def test_a_rest_that_does_not_come_is_waited_for_five_seconds(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """However slowly it drips."""
    site = await serve(refuse)
    caller = await site.call(post(1000))
    for second in range(6):
        assert caller.wire.closed is (second > 5)
        await trio.sleep(0.99)
        with suppress(trio.BrokenResourceError):
            await caller.say(b"x")
    assert site.server.statistics().connections == 0


async def test_a_rest_without_an_end_is_read_no_further_than_32_mib(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """And no more is taken."""
    site = await serve(refuse)
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 40)
    assert caller.heard().startswith(b"HTTP/1.1 429 ")
    assert site.server.statistics().connections == 0


async def test_a_head_that_trickles_is_408(autojump_clock: MockClock, serve: Serve) -> None:
    """Thirty seconds from its first byte, on a connection that has served before as on a new one."""
    site = await serve(ok)
    for data in (b"", GET):
        caller = await site.call(data)
        caller.heard()
        await trio.sleep(20)
        began = trio.current_time()
        for byte in b"GET / HTTP/1.1\r\nhost: s\r\nx: 0123456789":
            with suppress(trio.BrokenResourceError):
                await caller.say(bytes([byte]))
            if trio.current_time() - began < 30:
                assert caller.heard() == b""
            await trio.sleep(1)
        said = caller.heard()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in said
        await trio.sleep(6)
        assert caller.closed
    assert len(site.scopes) == 1


async def test_a_body_that_trickles_is_408(autojump_clock: MockClock, serve: Serve) -> None:
    """Bytes now and then do not keep a request alive, and the application gets a disconnect."""
    left: list[float] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)
        left.append(trio.current_time())

    site = await serve(app)
    began = trio.current_time()
    caller = await site.call(post(1000))
    while not left:
        await trio.sleep(5)
        await caller.say(b"x")
    assert left[0] - began == pytest.approx(75, abs=5)
    assert caller.heard().startswith(b"HTTP/1.1 408 ")
    await trio.sleep(6)
    assert caller.closed


async def test_who_was_given_up_is_given_up_once(autojump_clock: MockClock, serve: Serve) -> None:
    """An application that reads on slowly keeps no task busy; then the caller gets its 408."""

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)
        await trio.sleep(100)

    caller = await (await serve(app)).call(post(10))
    await trio.sleep(170)
    assert caller.heard() == b""
    await trio.sleep(10)
    assert caller.heard().startswith(b"HTTP/1.1 408 ")


async def test_each_body_has_patience_of_its_own(autojump_clock: MockClock, serve: Serve) -> None:
    """What one request used up is not the next one's loss."""
    caller = await (await serve(ok)).call()
    for _ in range(3):
        await caller.say(post(2))
        await trio.sleep(50)
        await caller.say(b"xx")
        await wait_all_tasks_blocked()
        assert caller.heard() == OK


async def test_a_slow_body_is_waited_for(autojump_clock: MockClock, serve: Serve) -> None:
    """A thousand bytes a second are slow and enough, for as long as it takes."""
    caller = await (await serve(ok)).call(post(600_000))
    for _ in range(600):
        await trio.sleep(1)
        await caller.say(b"x" * 1000)
    await wait_all_tasks_blocked()
    assert caller.heard() == OK
