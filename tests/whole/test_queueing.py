"""The queue, through the whole path in memory."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.events import Finished, Waited
from tests.support.crowd import CHAT, MESSAGES, Provider, crowd
from tests.support.network import Network


async def test_a_request_without_a_slot_queues_and_is_served(autojump_clock: MockClock, network: Network) -> None:
    """With a queue the N+1st waits for the first slot that becomes free, and its caller sees nothing of it."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=2, queue_size=10) as callers:
        await callers.come("abcd")
        status = await callers.bridge.status()
        assert status["concurrency"]["in_flight"] == 2
        assert (status["queue"]["waiting"], status["queue"]["callers"]) == (2, 2)
        assert await callers.bridge.metric("queue_waiting") == 2
    assert [end for _, end, _ in callers.told] == ["200"] * 4
    assert [round(at) for at, _ in provider.served] == [0, 0, 1, 1]
    assert [(waited.outcome, waited.seconds) for waited in callers.bridge.published(Waited)] == [
        ("served", 1.0)
    ] * 2


async def test_turns_go_round_by_caller(autojump_clock: MockClock, network: Network) -> None:
    """A hundred requests of one caller cost another at most one turn."""
    provider = Provider()
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 1000, "queue_timeout": 3600.0}
    async with crowd(network, provider, **options) as callers:
        await callers.come("a" * 100)
        await callers.come("bcb")
    assert provider.order()[:7] == "aabcaba"
    assert set(callers.ends("a")) == {"200"}


async def test_a_queue_that_is_full_says_so_and_how_long(autojump_clock: MockClock, network: Network) -> None:
    """A request beyond the queue's size is refused at once, with the time until a queued one leaves."""
    async with crowd(network, Provider(), max_concurrency=1, queue_size=4, queue_timeout=60.0) as callers:
        await callers.come("abcd")
        await trio.sleep(2.5)  # two were served in two seconds: one a second
        await callers.come("efg")
        began = trio.current_time()
        await callers.come("h")
        [reject] = callers.rejects
        assert trio.current_time() == began
    assert (reject.status_code, reject.headers["x-aibridge-reject"]) == (503, "queue_full")
    assert 500 <= int(reject.headers["retry-after-ms"]) <= 600
    assert callers.ends("h") == ["queue_full"]


async def test_the_caller_with_the_most_queued_loses_one(autojump_clock: MockClock, network: Network) -> None:
    """A full queue takes a caller that has less in it than the greediest, whose youngest request has to leave."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("aaaaaa")
        await callers.come("b")
        assert callers.ends("a") == ["queue_full"]
        assert callers.ends("b") == []
    assert callers.ends("b") == ["200"]
    assert provider.order()[:3] == "aab"
    outcomes = [waited.outcome for waited in callers.bridge.published(Waited)]
    assert outcomes.count("pushed_out") == 1


async def test_a_wait_has_an_end(autojump_clock: MockClock, network: Network) -> None:
    """After the timeout a request is refused, and never dispatched."""
    provider = Provider(60.0)
    async with crowd(network, provider, max_concurrency=1, queue_size=5, queue_timeout=10.0) as callers:
        await callers.come("ab")
        await trio.sleep(9.9)
        assert callers.ends("b") == []
        await trio.sleep(0.2)
        assert callers.told == [("b", "queue_timeout", 10.0)]
    assert provider.order() == "a"


async def test_a_request_that_cannot_be_served_in_time_is_refused_at_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """A request whose turn would come later than it can wait is refused without a wait."""
    provider = Provider(5.0)
    async with crowd(network, provider, max_concurrency=1, queue_size=50, queue_timeout=30.0) as callers:
        await callers.come("abc")
        await trio.sleep(11.0)  # a place every five seconds, as far as is known
        await callers.come("defghijk")
        assert [end for _, end, at in callers.told if at == 11.0] == ["queue_deadline"] * 2
        assert callers.rejects[0].status_code == 503
        assert "a turn would come in about" in callers.rejects[0].json()["message"]
    assert provider.order() == "abcdefghi"


async def test_a_quiet_day_makes_no_wait_hopeless(autojump_clock: MockClock, network: Network) -> None:
    """That few came says nothing of how fast places become free: how long they were held does."""
    provider = Provider(1.0)
    async with crowd(network, provider, max_concurrency=1, queue_size=50, queue_timeout=10.0) as callers:
        for _ in range(3):
            await callers.come("a")
            await trio.sleep(50)
        await callers.come("abcdef")
        assert [end for _, end, _ in callers.told] == ["200"] * 3
    assert [end for _, end, _ in callers.told] == ["200"] * 9


async def test_slots_that_are_never_released_make_it_hopeless(autojump_clock: MockClock, network: Network) -> None:
    """When no slot becomes free any more, the next one is expected as late again as it is late already."""
    provider = Provider(1.0)
    async with crowd(network, provider, max_concurrency=1, queue_size=50, queue_timeout=10.0) as callers:
        await callers.come("a")
        await trio.sleep(2)
        provider.seconds = 60.0
        await callers.come("bc")
        await trio.sleep(5)
        await callers.come("d")  # four seconds late
        await trio.sleep(7)
        await callers.come("e")  # eleven
        assert [(name, end) for name, end, _ in callers.told] == [
            ("a", "200"),
            ("c", "queue_timeout"),
            ("e", "queue_deadline"),
        ]
        callers.nursery.cancel_scope.cancel()


async def test_slots_that_were_taken_together_come_free_together(
    autojump_clock: MockClock, network: Network
) -> None:
    """Ten slots of three seconds, 2.6 s old: the eleventh that waits is served 3.4 s later."""
    provider = Provider(3.0)
    async with crowd(network, provider, max_concurrency=10, queue_size=50, queue_timeout=4.0) as callers:
        await callers.come("a")
        await trio.sleep(5)
        await callers.come("abcdefghij" * 2)
        await trio.sleep(2.6)
        await callers.come("k")
        assert callers.rejects == []
        await callers.come("l", **{"x-stainless-read-timeout": "6.0"})
        [reject] = callers.rejects
        assert reject.headers["x-aibridge-reject"] == "queue_deadline"
        assert 3400 <= int(reject.headers["retry-after-ms"]) <= 4080
        assert "in about 3.4 s, after the 3 s" in reject.json()["message"]
    assert callers.ends("k") == ["200"]


async def test_an_hour_long_stream_makes_nothing_hopeless(autojump_clock: MockClock, network: Network) -> None:
    """While it lasts its slot is one that does not become free, and says nothing of the others."""
    provider = Provider(3600.0)
    async with crowd(network, provider, max_concurrency=2, queue_size=9) as callers:
        await callers.come("a")
        provider.seconds = 2.0
        for _ in range(3):
            await callers.come("b")
            await trio.sleep(60)
            await callers.come("bc")
            await trio.sleep(10)
        assert set(callers.ends("b") + callers.ends("c")) == {"200"}


async def test_a_refused_request_is_no_sample_of_the_pace(autojump_clock: MockClock, network: Network) -> None:
    """Rejects hold a slot for no time, which neither hurries the pace nor slows it."""
    provider = Provider(2.0)
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 50}
    options |= {"rate_limit": 2, "circuit_breaker": True}
    await trio.sleep(1000)
    async with crowd(network, provider, **options) as callers:
        await callers.come("a")
        await trio.sleep(3)
        anthropic = callers.bridge.bridge.router.get("anthropic")
        assert anthropic
        anthropic.circuits.override(Mode.OPEN)
        for _ in range(20):
            await callers.come("bbb", MESSAGES)
            await callers.come("c", "/nowhere")
            await trio.sleep(1)
        await callers.come("ab")
        assert callers.bridge.bridge.admission.statistics().queue.pace == 0.5
    assert callers.ends("a") == ["200"] * 2


async def test_a_request_that_queues_for_one_limit_ignores_another_in_shadow(
    autojump_clock: MockClock, network: Network
) -> None:
    """With concurrency in shadow a caller above its share waits for that alone; what else it lacks is counted."""
    provider = Provider(2.0)
    options: dict[str, Any] = {"max_concurrency": 1, "max_concurrency_per_caller": 1, "queue_size": 5}
    async with crowd(network, provider, shadow=("concurrency",), **options) as callers:
        await callers.come("c")
        await trio.sleep(1)
        await callers.come("aa")
    assert [(at, name) for at, name in provider.served] == [(0, "c"), (1, "a"), (3, "a")]
    assert [event.would_reject for event in callers.bridge.published(Finished)] == [
        (),
        ("capacity",),
        ("capacity",),
    ]


@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
async def test_half_of_a_callers_timeout_is_the_providers(
    autojump_clock: MockClock, network: Network, name: str
) -> None:
    """A caller that says how long it waits for an answer waits for its turn for at most half of that."""
    async with crowd(network, Provider(60.0), max_concurrency=1, queue_size=5, queue_timeout=10.0) as callers:
        await callers.come("a")
        await callers.come("b", **{name: "4.0"})
        await callers.come("c", **{name: "NOT_GIVEN"})
        await trio.sleep(11)
        assert callers.told == [("b", "queue_timeout", 2.0), ("c", "queue_timeout", 10.0)]


async def test_a_caller_that_hangs_up_leaves_the_queue(autojump_clock: MockClock, network: Network) -> None:
    """A caller that is gone is never dispatched, and its turn is the next one's."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        with trio.move_on_after(0.5):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "b"})
        await callers.come("c")
        assert (await callers.bridge.status())["queue"]["waiting"] == 1
    assert provider.order() == "ac"
    assert [waited.outcome for waited in callers.bridge.published(Waited)] == ["left", "served"]


async def test_a_request_whose_caller_hangs_up_at_its_turn_is_not_dispatched(
    autojump_clock: MockClock, network: Network
) -> None:
    """When a caller hangs up in the moment of its turn, the slot goes to the next request."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        with trio.move_on_at(1.0):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "b"})
        await callers.come("c")
    assert provider.order() in ("ac", "abc")
    assert callers.ends("c") == ["200"]


async def test_a_body_is_not_read_while_its_request_waits(autojump_clock: MockClock, network: Network) -> None:
    """A queued request is not asked for its body: memory grows with the queue's length, not with its bodies."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\nx-api-key: b\r\n"
            b"content-length: 2\r\nexpect: 100-continue\r\n\r\n"
        )
        with trio.move_on_after(0.9) as patience:
            await stream.receive_some()
        assert patience.cancelled_caught, "the upload was asked for"
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(b"{}")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
        await stream.aclose()


async def test_a_known_reject_comes_before_the_wait(autojump_clock: MockClock, network: Network) -> None:
    """Rejects for credential, route, an open breaker or a length come at once, not after a wait."""
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 5, "rate_limit": 2, "circuit_breaker": True}
    options["max_body"] = 1000
    async with crowd(network, Provider(5.0), **options) as callers:
        await callers.come("a")
        anthropic = callers.bridge.bridge.router.get("anthropic")
        assert anthropic
        anthropic.circuits.override(Mode.OPEN)
        await callers.come("b", MESSAGES)
        await callers.come("b", "/openai/v1/nowhere")
        answer = await callers.bridge.client.post(CHAT, headers=[("x-api-key", "c"), ("x-api-key", "d")])
        assert answer.status_code == 400
        answer = await callers.bridge.client.post(CHAT, content=b"x" * 2000)
        assert answer.status_code == 413
        assert trio.current_time() == 0
        assert callers.ends("b") == ["circuit_open", "not_found"]


async def test_probes_and_404s_need_no_turn_of_their_own(autojump_clock: MockClock, network: Network) -> None:
    """A probe of / waits as any other request; a route that is not there is refused before."""
    async with crowd(network, Provider(), max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        assert (await callers.bridge.client.get("/nowhere")).status_code == 404
        assert trio.current_time() == 0
        assert (await callers.bridge.client.get("/")).status_code == 200
        assert trio.current_time() == 1


async def test_without_a_queue_nothing_waits(autojump_clock: MockClock, network: Network) -> None:
    """The N+1st is rejected at once, as ever."""
    async with crowd(network, Provider(), max_concurrency=1) as callers:
        await callers.come("ab")
        assert callers.told == [("b", "capacity", 0.0)]


async def test_a_drain_serves_or_ends_queued_requests(autojump_clock: MockClock, network: Network) -> None:
    """A request whose turn comes within the grace goes up, and is cut at its end; the others get shutting_down."""
    provider = Provider(4.0)
    await network.answer("openai", provider)
    options: dict[str, Any] = {
        "max_concurrency": 1,
        "queue_size": 5,
        "queue_timeout": 60.0,
        "graceful_timeout": 6.0,
    }
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        told: list[object] = []

        async def ask(name: str) -> None:
            try:
                told.append((await bridge.client.post(CHAT, headers={"x-api-key": name})).status_code)
            except httpx.RemoteProtocolError:
                told.append("cut")

        for name in "abc":
            nursery.start_soon(ask, name)
            await trio.testing.wait_all_tasks_blocked()
        await bridge.signals.send(15)
        await bridge.ended.wait()
        assert 6.0 <= trio.current_time() <= 6.1
        assert bridge.exit_status == 0
    assert sorted(told, key=str) == [200, 503, "cut"]
