"""The whole path in memory: who waits for a place, who has none, and what protections in shadow say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.events import Bug, Finished, Waited
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network, Running

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]


class Provider:
    """Answers after so many seconds; keeps whom it served, and when."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.served: list[tuple[float, str]] = []
        self.in_flight = self.most = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.served.append((trio.current_time(), (request.header(b"x-api-key") or b"").decode()))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            async for _ in request.body:
                pass
            await trio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        await reply.answer(200, JSON, b"{}")

    def order(self) -> str:
        """Return the callers in the order in which they were served."""
        return "".join(name for _, name in self.served)


class Crowd:
    """Callers of one bridge, and what became of each request: its status or reason, and when."""

    def __init__(self, bridge: Running, nursery: trio.Nursery) -> None:
        self.bridge = bridge
        self.nursery = nursery
        self.told: list[tuple[str, str, float]] = []
        self.rejects: list[httpx.Response] = []

    async def ask(self, name: str, path: str = CHAT, **headers: str) -> None:
        """Make one request and note its end."""
        answer = await self.bridge.client.post(path, headers={"x-api-key": name, **headers})
        if reason := answer.headers.get("x-aibridge-reject"):
            self.rejects.append(answer)
        self.told.append((name, reason or str(answer.status_code), trio.current_time()))

    async def come(self, names: str, path: str = CHAT, **headers: str) -> None:
        """Let requests of these callers come, one behind the other."""
        for name in names:
            self.nursery.start_soon(partial(self.ask, name, path, **headers))
            await trio.testing.wait_all_tasks_blocked()

    def ends(self, name: str) -> list[str]:
        """Return how the requests of a caller ended."""
        return [end for who, end, _ in self.told if who == name]


@asynccontextmanager
async def crowd(network: Network, provider: Handler, **options: Any) -> AsyncIterator[Crowd]:
    """Run a bridge in front of a provider, and callers; all have ended when the context has."""
    await network.answer("openai", provider)
    async with network.bridge(**options) as bridge:
        async with trio.open_nursery() as nursery:
            yield Crowd(bridge, nursery)
        statistics = bridge.bridge.admission.statistics()
        assert (statistics.in_flight, statistics.queue.waiting) == (0, 0)
        assert bridge.told(Bug) == []


# The queue


async def test_who_finds_no_slot_waits_and_is_served(autojump_clock: MockClock, network: Network) -> None:
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
    assert [(waited.outcome, waited.seconds) for waited in callers.bridge.told(Waited)] == [("served", 1.0)] * 2


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
    """A request that finds no room is told at once, with the time until one of those that wait has left."""
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


async def test_the_longest_line_makes_room(autojump_clock: MockClock, network: Network) -> None:
    """A full queue takes a caller that has less in it than the greediest, whose youngest request has to leave."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("aaaaaa")
        await callers.come("b")
        assert callers.ends("a") == ["queue_full"]
        assert callers.ends("b") == []
    assert callers.ends("b") == ["200"]
    assert provider.order()[:3] == "aab"
    outcomes = [waited.outcome for waited in callers.bridge.told(Waited)]
    assert outcomes.count("pushed_out") == 1


async def test_a_wait_has_an_end(autojump_clock: MockClock, network: Network) -> None:
    """Behind the timeout a request is told, and never dispatched."""
    provider = Provider(60.0)
    async with crowd(network, provider, max_concurrency=1, queue_size=5, queue_timeout=10.0) as callers:
        await callers.come("ab")
        await trio.sleep(9.9)
        assert callers.ends("b") == []
        await trio.sleep(0.2)
        assert callers.told == [("b", "queue_timeout", 10.0)]
    assert provider.order() == "a"


async def test_who_cannot_be_served_in_time_is_told_at_once(autojump_clock: MockClock, network: Network) -> None:
    """Whose turn would come later than it can wait need not wait for that answer."""
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


async def test_places_that_nobody_leaves_make_it_hopeless(autojump_clock: MockClock, network: Network) -> None:
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
        assert [(who, end) for who, end, _ in callers.told] == [
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


async def test_who_is_refused_tells_nothing_of_the_pace(autojump_clock: MockClock, network: Network) -> None:
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


async def test_who_waits_for_one_limit_passes_by_another_in_shadow(
    autojump_clock: MockClock, network: Network
) -> None:
    """With concurrency in shadow a caller above its share waits for that alone; what else it lacks is counted."""
    provider = Provider(2.0)
    options: dict[str, Any] = {"max_concurrency": 1, "max_concurrency_per_caller": 1, "queue_size": 5}
    async with crowd(network, provider, shadow=("concurrency",), **options) as callers:
        await callers.come("c")
        await trio.sleep(1)
        await callers.come("aa")
    assert [(at, who) for at, who in provider.served] == [(0, "c"), (1, "a"), (3, "a")]
    assert [event.would_reject for event in callers.bridge.told(Finished)] == [(), ("capacity",), ("capacity",)]


@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
async def test_half_of_a_callers_patience_is_the_providers(
    autojump_clock: MockClock, network: Network, name: str
) -> None:
    """A caller that says how long it waits for an answer waits for its turn for at most half of that."""
    async with crowd(network, Provider(60.0), max_concurrency=1, queue_size=5, queue_timeout=10.0) as callers:
        await callers.come("a")
        await callers.come("b", **{name: "4.0"})
        await callers.come("c", **{name: "NOT_GIVEN"})
        await trio.sleep(11)
        assert callers.told == [("b", "queue_timeout", 2.0), ("c", "queue_timeout", 10.0)]


async def test_who_hangs_up_leaves_the_queue(autojump_clock: MockClock, network: Network) -> None:
    """A caller that is gone is never dispatched, and its turn is the next one's."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        with trio.move_on_after(0.5):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "b"})
        await callers.come("c")
        assert (await callers.bridge.status())["queue"]["waiting"] == 1
    assert provider.order() == "ac"
    assert [waited.outcome for waited in callers.bridge.told(Waited)] == ["left", "served"]


async def test_who_hangs_up_as_its_turn_comes_is_not_dispatched(
    autojump_clock: MockClock, network: Network
) -> None:
    """In the very moment in which a slot becomes free its caller may go: the slot goes on to the next."""
    provider = Provider()
    async with crowd(network, provider, max_concurrency=1, queue_size=5) as callers:
        await callers.come("a")
        with trio.move_on_at(1.0):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "b"})
        await callers.come("c")
    assert provider.order() in ("ac", "abc")
    assert callers.ends("c") == ["200"]


async def test_a_body_is_not_read_while_its_request_waits(autojump_clock: MockClock, network: Network) -> None:
    """Who waits is not asked for its upload: memory is the queue's length, not that of its bodies."""
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


async def test_nobody_waits_for_a_no_that_is_known(autojump_clock: MockClock, network: Network) -> None:
    """What else is wrong with a request is told at once: credential, route, an open breaker, a length."""
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


async def test_a_drain_serves_or_cuts_those_who_wait(autojump_clock: MockClock, network: Network) -> None:
    """A request whose turn comes within the grace goes up, and is cut at its end; the others are told."""
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


# The rate, where a request may wait for it


async def test_a_request_waits_for_its_rate(autojump_clock: MockClock, network: Network) -> None:
    """Until its caller's rate admits it, in the order in which it came, holding no slot; others pass."""
    provider = Provider(10.0)
    async with crowd(network, provider, max_concurrency=5, rate_limit=1, queue_size=9) as callers:
        await callers.come("aaa")
        await trio.sleep(0.5)
        await callers.come("b")
        status = await callers.bridge.status()
        assert (status["concurrency"]["in_flight"], status["queue"]["waiting"]) == (2, 2)
        await callers.come("a")
    assert provider.served == [(0.0, "a"), (0.5, "b"), (1.0, "a"), (2.0, "a"), (3.0, "a")]
    waits = [(waited.outcome, waited.seconds) for waited in callers.bridge.told(Waited)]
    assert waits == [("served", 1.0), ("served", 2.0), ("served", 2.5)]


async def test_a_rate_that_comes_too_late_is_told_at_once(autojump_clock: MockClock, network: Network) -> None:
    """What may not wait so long is refused as without a queue: each is told a later turn, behind all that wait."""
    provider = Provider()
    async with crowd(network, provider, rate_limit=1, queue_size=9, queue_timeout=2.5) as callers:
        await callers.come("aaaaa")
        assert [(end, at) for _, end, at in callers.told] == [("rate_limit", 0.0)] * 2
        told = [int(reject.headers["retry-after-ms"]) / 1000 for reject in callers.rejects]
        assert [reject.status_code for reject in callers.rejects] == [429, 429]
        assert 3.0 <= told[0] < 4.0
        assert told[1] - told[0] == pytest.approx(1.05, abs=0.01)
        await callers.come("b", **{"x-stainless-timeout": "1.5"})
        await callers.come("b", **{"x-stainless-timeout": "1.5"})
        assert callers.ends("b") == ["rate_limit"]
    assert [at for at, name in provider.served if name == "a"] == [0.0, 1.0, 2.0]


async def test_what_waits_for_a_slot_is_counted_when_it_has_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """Five that waited go up together no faster than the rate; and one that waited in vain was never counted."""
    provider = Provider(5.0)
    options: dict[str, Any] = {"max_concurrency": 2, "rate_limit": 2, "queue_size": 9, "queue_timeout": 7.0}
    async with crowd(network, provider, **options) as callers:
        await callers.come("bb")
        await trio.sleep(1)
        await callers.come("aaaaa")
    assert [(at, name) for at, name in provider.served] == [(0, "b"), (0, "b"), (5, "a"), (5, "a")]
    assert [end for _, end, at in callers.told if at == 8.0] == ["queue_timeout"] * 3


async def test_a_share_that_is_lacking_gives_the_rate_back(autojump_clock: MockClock, network: Network) -> None:
    """A request that waits for its share has spent none of its caller's budget; another provider's gets it."""
    provider, other = Provider(5.0), Provider()
    await network.answer("anthropic", other)
    options: dict[str, Any] = {"max_concurrency_per_provider": 1, "rate_limit": 1, "queue_size": 9}
    async with crowd(network, provider, **options) as callers:
        await callers.come("b")
        await callers.come("a")
        await callers.come("a", MESSAGES)
        assert [name for _, name in other.served] == ["a"]
    assert provider.served == [(0, "b"), (5, "a")]


async def test_a_newcomer_does_not_pass_what_waits_for_the_rate(
    autojump_clock: MockClock, network: Network
) -> None:
    """In the very moment in which the rate admits one more, the one that waits gets it."""
    provider = Provider(0.1)
    async with crowd(network, provider, rate_limit=1, queue_size=9) as callers:
        await callers.come("aa", seq="1")
        await trio.sleep_until(1.0)
        await callers.come("a", seq="2")
    assert [round(at, 3) for at, _ in provider.served] == [0.0, 1.0, 2.0]
    assert [round(waited.seconds, 3) for waited in callers.bridge.told(Waited)] == [1.0, 1.0]


async def test_an_answer_that_waited_tells_the_budget_as_it_is(
    autojump_clock: MockClock, network: Network
) -> None:
    """Once, with what is left when the request was admitted; an unknown route counts if it need not wait."""
    async with crowd(network, Provider(0.1), max_concurrency=1, rate_limit=2, queue_size=9) as callers:
        answers: list[httpx.Response] = []

        async def ask(path: str = CHAT) -> None:
            answers.append(await callers.bridge.client.post(path, headers={"x-api-key": "a"}))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        await trio.sleep(5)
        await ask("/nowhere")
    told = [answer.headers.get_list("x-ratelimit-remaining") for answer in answers]
    assert told == [["1"], ["0"], ["0"], ["1"]]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]


async def test_who_hangs_up_while_it_waits_for_its_rate_leaves_the_turn(
    autojump_clock: MockClock, network: Network
) -> None:
    """The next one of the same caller has it, at the same time."""
    provider = Provider(0.1)
    async with crowd(network, provider, rate_limit=1, queue_size=9) as callers:
        await callers.come("a")
        with trio.move_on_after(0.5):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "a"})
        await callers.come("a")
    assert [at for at, _ in provider.served] == [0.0, 1.0]


async def test_nothing_waits_for_a_rate_in_shadow(autojump_clock: MockClock, network: Network) -> None:
    """It is counted, and all are served at once."""
    provider = Provider()
    async with crowd(network, provider, rate_limit=1, queue_size=9, shadow=("rate",)) as callers:
        await callers.come("aaa")
        assert provider.in_flight == 3
        assert await callers.bridge.metric("would_reject_total", reason="rate_limit") == 2


# Shares


async def test_a_greedy_caller_cannot_fill_the_slots_of_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """A caller with as many in flight as one may have is told so, with 429; others find their slots."""
    async with crowd(network, Provider(), max_concurrency=10, max_concurrency_per_caller=2) as callers:
        await callers.come("aaaab")
        assert callers.told == [("a", "caller_capacity", 0.0)] * 2
    assert [reject.status_code for reject in callers.rejects] == [429, 429]
    assert callers.rejects[0].json()["message"].startswith("You have 2 requests in flight")
    assert callers.ends("b") == ["200"]


async def test_a_dead_provider_cannot_fill_the_slots_of_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """A provider with as many in flight as are allowed refuses more; another one's find their slots."""
    dead = Provider(600.0)
    await network.answer("anthropic", Provider())
    async with crowd(network, dead, max_concurrency=4, max_concurrency_per_provider=3) as callers:
        await callers.come("abcd")
        await callers.come("e", MESSAGES)
        await trio.sleep(2)
        assert callers.told == [("d", "provider_capacity", 0.0), ("e", "200", 1.0)]
        assert (await callers.bridge.status())["providers"][0]["limit"] == 3
        callers.nursery.cancel_scope.cancel()
    assert callers.rejects[0].status_code == 503


async def test_who_lacks_a_share_waits_without_a_slot(autojump_clock: MockClock, network: Network) -> None:
    """With a queue a caller above its share waits, and leaves slots to others meanwhile."""
    provider = Provider()
    options: dict[str, Any] = {"max_concurrency": 2, "max_concurrency_per_caller": 1, "queue_size": 10}
    async with crowd(network, provider, **options) as callers:
        await callers.come("aaab")
        assert provider.order() == "ab"
    assert provider.most == 2
    assert callers.ends("a") == ["200"] * 3
    assert [round(at) for at, name in provider.served if name == "a"] == [0, 1, 2]


# Shadow


async def test_shadow_counts_and_rejects_nothing(autojump_clock: MockClock, network: Network) -> None:
    """What limits in shadow would have rejected is counted by reason and logged; everybody is served."""
    options: dict[str, Any] = {
        "max_concurrency": 3,
        "max_concurrency_per_caller": 2,
        "rate_limit": 3,
        "shadow": ("concurrency", "concurrency-per-caller", "rate"),
    }
    async with crowd(network, Provider(), **options) as callers:
        await callers.come("aaaabc")
        status = await callers.bridge.status()
        assert status["shadow"] == ["concurrency", "concurrency-per-caller", "rate"]
        assert status["concurrency"]["in_flight"] == 6
        assert await callers.bridge.metric("would_reject_total", reason="capacity") == 3
        assert await callers.bridge.metric("would_reject_total", reason="rate_limit") == 1
        assert await callers.bridge.metric("rejects_total", reason="capacity") == 0
    assert [end for _, end, _ in callers.told] == ["200"] * 6
    would = Counter(event.would_reject for event in callers.bridge.told(Finished))
    assert would == {
        (): 2,
        ("caller_capacity",): 1,
        ("rate_limit", "capacity", "caller_capacity"): 1,
        ("capacity",): 2,
    }


async def test_a_rate_in_shadow_is_not_seen_by_callers(autojump_clock: MockClock, network: Network) -> None:
    """No X-RateLimit header tells of a budget that does not rule."""
    async with crowd(network, Provider(), rate_limit=1, shadow=("rate",)) as callers:
        answers = [await callers.bridge.client.post(CHAT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not any(name.startswith("x-ratelimit") for answer in answers for name in answer.headers)


async def test_nobody_waits_for_a_limit_in_shadow(autojump_clock: MockClock, network: Network) -> None:
    """With concurrency in shadow the queue stays empty; with only a share in shadow it is waited for the rest."""
    provider = Provider()
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 5, "max_concurrency_per_caller": 1}
    async with crowd(network, provider, shadow=("concurrency", "concurrency-per-caller"), **options) as callers:
        await callers.come("ab")
        assert provider.in_flight == 2
    async with crowd(network, provider, shadow=("concurrency-per-caller",), **options) as callers:
        await callers.come("aa")
        assert provider.in_flight == 1
    assert callers.ends("a") == ["200"] * 2
