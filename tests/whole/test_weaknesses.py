"""The weaknesses of the Go AI Bridge, one test each, by number and name: ours must not have them.

Found by reading it and by simulation. What does not apply as it stands there:

==  =======================  ==================================================================================
 7  state per replica        ours too, and the manual says so wherever a limit is explained
15  one breaker's settings,  there is nothing to overwrite; each provider's own dialect shows it
    overwritten by the last
19  random tokens            in part ours: where no key is asked for a caller may invent many, each with a budget;
                             documented, bounded in memory, and all of them share the slots
20  waits for a recorder     there is none; what remains of it: the slot is back when the answer is out
22  eviction cuts streams    there is no pool of bridges; a stream of two hours is whole
==  =======================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.events import Finished, Transitioned
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network, Running

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
BREAKER: dict[str, Any] = {"circuit_breaker": True}
WORD = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'


def answering(status: int, *headers: tuple[bytes, bytes], after: float = 0.0) -> Handler:
    """Answer with a status, after some seconds."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(after)
        await reply.answer(status, [*JSON, *headers], b"{}")

    return handler


class Changing:
    """A provider whose behaviour a test changes; connections to it are kept."""

    def __init__(self, handler: Handler) -> None:
        self.does = handler

    async def __call__(self, request: Request, reply: Reply) -> None:
        await self.does(request, reply)


class Crowded:
    """A slow provider; it records callers, and how many requests there were at once."""

    def __init__(self, seconds: float) -> None:
        self.answer = answering(200, after=seconds)
        self.callers: list[bytes | None] = []
        self.inside = self.most = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.callers.append(request.header(b"authorization"))
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.answer(request, reply)
        finally:
            self.inside -= 1


async def overloaded(_: Request, reply: Reply) -> None:
    """Say 200, some words, and then "overloaded"."""
    await reply.start(200, SSE)
    await reply.send(WORD)
    await reply.send(b'data: {"error":{"code":"server_is_overloaded"}}\n\n')
    await reply.end()


async def endless(_: Request, reply: Reply) -> None:
    """Stream a word a second, for ever."""
    await reply.start(200, SSE)
    while True:
        await reply.send(WORD)
        await trio.sleep(1)


def breaker(bridge: Running, provider: int = 0) -> dict[str, Any]:
    """Return a provider's breaker as it stands in /status."""
    found: dict[str, Any] = bridge.bridge.status.document()["providers"][provider]["breaker"]
    return found


def reason(answer: httpx.Response) -> str:
    """Return the reason of a reject, or the status of any other answer."""
    return answer.headers.get("x-aibridge-reject") or str(answer.status_code)


@asynccontextmanager
async def served(network: Network, handler: Handler, **options: Any) -> AsyncIterator[Running]:
    """Run a bridge in front of one OpenAI."""
    await network.answer("openai", handler)
    async with network.bridge(**options) as bridge:
        yield bridge


async def ask(bridge: Running, path: str = CHAT, **headers: str) -> httpx.Response:
    """Make a request on a connection of its own: kept ones may end in the moment that virtual time jumps to."""
    return await bridge.client.post(path, headers={"connection": "close", **headers})


async def together(bridge: Running, times: int) -> None:
    """Make requests at once, and wait for all."""
    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(ask, bridge)


async def test_01_an_error_in_a_stream_is_a_failure(autojump_clock: MockClock, network: Network) -> None:
    """Five streams that say 200, a word, and then "overloaded" open the breaker."""
    async with served(network, overloaded, **BREAKER) as bridge:
        for _ in range(5):
            await ask(bridge)
        assert breaker(bridge)["state"] == "open"


async def test_01_an_error_in_a_stream_closes_nothing(autojump_clock: MockClock, network: Network) -> None:
    """In half-open one such stream opens the breaker again."""
    async with served(network, overloaded, **BREAKER) as bridge:
        await together(bridge, 5)
        await trio.sleep(30)
        await ask(bridge)
        assert breaker(bridge)["state"] == "open"


async def test_02_a_network_that_fails_trips_it(autojump_clock: MockClock, network: Network) -> None:
    """Refused connections are failures and 502, not an empty 200; three 401s do not close it again."""
    async with network.bridge(**BREAKER) as bridge:
        for _ in range(5):
            assert reason(await ask(bridge)) == "upstream_unreachable"
        assert breaker(bridge)["state"] == "open"
        await network.answer("openai", answering(401))
        await trio.sleep(30)
        for _ in range(3):
            assert (await ask(bridge)).status_code == 401
        assert breaker(bridge)["state"] == "half-open"


@pytest.mark.parametrize("seconds", [12.0, 60.0])
async def test_03_long_calls_count(autojump_clock: MockClock, network: Network, seconds: float) -> None:
    """The breaker trips also when each call fails after longer than the window."""
    async with served(network, answering(504, after=seconds), **BREAKER) as bridge:
        await together(bridge, 50)
        assert breaker(bridge)["verdicts"]["neutral"] == 50  # a 504 of the provider's says nothing …
    async with served(network, answering(503, after=seconds), **BREAKER) as bridge:
        await together(bridge, 50)
        assert breaker(bridge)["state"] == "open"  # … a 503 does, however late


async def test_04_the_window_slides(autojump_clock: MockClock, network: Network) -> None:
    """Failures on both sides of any boundary add up, and successes between them reset nothing."""
    provider = Changing(answering(503))
    async with served(network, provider, **BREAKER) as bridge:
        await trio.sleep(8)
        for _ in range(3):
            await ask(bridge)
        provider.does = answering(200)
        await ask(bridge)
        provider.does = answering(503)
        await trio.sleep(4)  # ten seconds have passed since the start
        for _ in range(2):
            await ask(bridge)
        assert breaker(bridge)["state"] == "open"


async def test_05_all_callers_share_what_is_known(autojump_clock: MockClock, network: Network) -> None:
    """Five callers that each see one failure open it for a sixth."""
    async with served(network, answering(503), **BREAKER) as bridge:
        for n in range(5):
            await ask(bridge, authorization=f"Bearer caller-{n}")
        assert reason(await ask(bridge, authorization="Bearer caller-6")) == "circuit_open"


async def test_06_the_gauge_is_true(autojump_clock: MockClock, network: Network) -> None:
    """The gauge is there from the start, shows open, and then half-open after the cooldown without traffic."""
    async with served(network, answering(503), **BREAKER) as bridge:

        async def gauge() -> float:
            return await bridge.metric("circuit_breaker_state", provider="openai")

        assert await gauge() == 0
        await together(bridge, 5)
        assert await gauge() == 1
        await trio.sleep(29.5)
        assert await gauge() == 1
        await trio.sleep(1)
        assert await gauge() == 2
        assert (await bridge.status())["providers"][0]["breaker"]["state"] == "half-open"


@pytest.mark.parametrize("page", ["reference.md", "operating.md", "protections/README.md", "breaker.md"])
def test_07_state_per_replica_is_documented(page: str) -> None:
    """Limits are per replica, and the pages about them say so."""
    assert "replica" in (Path(__file__).parents[2] / "docs" / page).read_text()


async def test_08_the_wait_is_what_is_left(autojump_clock: MockClock, network: Network) -> None:
    """Retry-After is the rest of the cooldown, differs from caller to caller, and is a second while probing."""
    async with served(network, answering(503, after=1.0), **BREAKER) as bridge:
        await together(bridge, 5)
        await trio.sleep(20)
        waits = {int((await ask(bridge)).headers["retry-after-ms"]) for _ in range(20)}
        assert all(10_000 <= wait <= 12_000 for wait in waits)
        assert len(waits) > 10
        await trio.sleep(10)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, bridge)
            await trio.sleep(0.5)
            assert 1000 <= int((await ask(bridge)).headers["retry-after-ms"]) <= 1200


async def test_08_every_reject_that_can_tell_when_does(autojump_clock: MockClock, network: Network) -> None:
    """A reject for capacity says a second, and one for the rate the true wait."""
    async with served(network, endless, max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        assert "retry-after" in (await ask(bridge)).headers
        nursery.cancel_scope.cancel()
    async with served(network, answering(200), rate_limit=1) as bridge:
        await ask(bridge)
        await trio.sleep(0.25)
        assert 750 <= int((await ask(bridge)).headers["retry-after-ms"]) <= 900


async def test_09_an_open_breaker_reads_no_body(autojump_clock: MockClock, network: Network) -> None:
    """The refusal comes before a byte of a 30 MB upload was asked for, and no connection is made."""
    async with served(network, answering(503), **BREAKER) as bridge:
        await together(bridge, 5)
        dialled = len(network.dialled)
        stream = network.dial("bridge")
        head = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\nexpect: 100-continue\r\n"
        await stream.send_all(head + b"content-length: 30000000\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503 ")
        await stream.aclose()
        await trio.sleep(1)
        assert bridge.published(Finished)[-1].bytes_in == 0
        assert network.dialled[dialled:] == ["bridge"]


async def test_10_nothing_is_tried_twice(autojump_clock: MockClock, network: Network) -> None:
    """One request is one upstream call, whatever the answer: retries are the caller's to make."""
    for status in (429, 500, 502, 503, 529):
        calls = 0

        async def counted(request: Request, reply: Reply, status: int = status) -> None:
            nonlocal calls
            calls += 1
            await answering(status, (b"retry-after", b"1"))(request, reply)

        async with served(network, counted) as bridge:
            assert (await ask(bridge)).status_code == status
            assert calls == 1


async def test_11_impatient_callers_are_neutral(autojump_clock: MockClock, network: Network) -> None:
    """Callers that leave before an answer neither open the breaker nor make a hung provider look healthy."""
    async with served(network, answering(200, after=3600.0), **BREAKER) as bridge:
        for _ in range(20):
            with trio.move_on_after(1):
                await ask(bridge)
        await trio.sleep(1)
        assert breaker(bridge)["verdicts"] == {"success": 0, "failure": 0, "neutral": 20}


async def test_12_probes_that_hang_block_no_others(autojump_clock: MockClock, network: Network) -> None:
    """After half a minute others probe; and a stream is a success at its first word, not minutes later."""
    provider = Changing(answering(503))
    async with served(network, provider, **BREAKER) as bridge, trio.open_nursery() as nursery:
        await together(bridge, 5)
        await trio.sleep(30)
        provider.does = answering(200, after=3600.0)
        for _ in range(3):
            nursery.start_soon(ask, bridge)
        await trio.sleep(1)
        assert reason(await ask(bridge)) == "circuit_open"
        await trio.sleep(30)
        provider.does = endless
        for _ in range(3):
            nursery.start_soon(ask, bridge)
            await trio.sleep(1)
        assert breaker(bridge)["state"] == "closed"
        nursery.cancel_scope.cancel()


async def test_13_callers_choose_no_keys_and_no_labels(autojump_clock: MockClock, network: Network) -> None:
    """A thousand invented models share one breaker and one series, and dodge nothing."""
    options = {**BREAKER, "circuit_breaker_scope": "model", "circuit_breaker_models": ("gpt-5",)}
    async with served(network, answering(503), **options) as bridge:
        before = len((await bridge.admin.get("/metrics")).text.splitlines())
        told = [
            reason(await bridge.client.post(CHAT, content=json.dumps({"model": f"alias-{n}"})))
            for n in range(1000)
        ]
        assert told == ["503"] * 5 + ["circuit_open"] * 995
        assert len((await bridge.admin.get("/metrics")).text.splitlines()) == before


async def test_14_one_keys_429_is_not_all_callers(autojump_clock: MockClock, network: Network) -> None:
    """With `--circuit-breaker-429 credential` a caller at its own quota rests alone."""
    options = {**BREAKER, "circuit_breaker_429": "credential"}
    provider = Changing(answering(429))
    async with served(network, provider, **options) as bridge:
        for _ in range(10):
            await ask(bridge, authorization="Bearer greedy")
        assert breaker(bridge)["state"] == "closed"
        provider.does = answering(200)
        assert reason(await ask(bridge, authorization="Bearer greedy")) == "credential_cooldown"
        assert reason(await ask(bridge, authorization="Bearer other")) == "200"
        assert await bridge.metric("credentials_resting", provider="openai") == 1


async def test_15_each_provider_answers_in_its_own_dialect(autojump_clock: MockClock, network: Network) -> None:
    """OpenAI's callers never get Anthropic's errors, nor the other way round, and 529 counts for both."""
    await network.answer("anthropic", answering(529))
    async with served(network, answering(529), **BREAKER) as bridge:
        for path in (CHAT, MESSAGES):
            for _ in range(5):
                await ask(bridge, path)
        assert (await ask(bridge)).json()["error"]["code"] == "circuit_open"
        assert (await ask(bridge, MESSAGES)).json()["error"]["type"] == "overloaded_error"


async def test_16_every_reject_is_counted_logged_and_distinct(autojump_clock: MockClock, network: Network) -> None:
    """A header names the reason, a series counts it, and a provider's own 503 has neither."""
    async with served(network, answering(503), rate_limit=2) as bridge:
        answers = [await ask(bridge) for _ in range(3)]
        assert ["x-aibridge-reject" in answer.headers for answer in answers] == [False, False, True]
        assert await bridge.metric("rejects_total", reason="rate_limit") == 1
        assert [event.reject for event in bridge.published(Finished)] == [None, None, "rate_limit"]
        assert answers[2].json()["error"]["type"] == "rate_limit_error"


async def test_16_no_503_looks_like_another(autojump_clock: MockClock, network: Network) -> None:
    """A full bridge, an open breaker and a provider that says 503 itself are three different things."""
    await network.answer("anthropic", endless)
    async with served(network, answering(503), **BREAKER, max_concurrency=1) as bridge:
        answers = [await ask(bridge) for _ in range(6)][4:]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, bridge, MESSAGES)
            await trio.sleep(1)
            answers.append(await ask(bridge))
            nursery.cancel_scope.cancel()
        assert [answer.status_code for answer in answers] == [503] * 3
        assert [reason(answer) for answer in answers] == ["503", "circuit_open", "capacity"]
        assert answers[1].json()["message"] != answers[2].json()["message"]
        assert await bridge.metric("upstream_responses_total", provider="openai", status="503") == 5
        for name in ("circuit_open", "capacity"):
            assert await bridge.metric("rejects_total", reason=name) == 1


async def test_17_rejects_hold_no_slot(autojump_clock: MockClock, network: Network) -> None:
    """Hundreds of rejects by a full bridge hold no slot: the request that comes when one is free gets it."""
    provider = Crowded(10.0)
    async with served(network, provider, max_concurrency=2) as bridge, trio.open_nursery() as nursery:
        told: list[str] = []

        async def ask_in_vain(path: str) -> None:
            told.append(reason(await ask(bridge, path)))

        for _ in range(2):
            nursery.start_soon(ask, bridge)
            await trio.sleep(4)
        for _ in range(200):
            nursery.start_soon(ask_in_vain, CHAT)
        await trio.sleep(1)
        assert told == ["capacity"] * 200
        assert await bridge.metric("requests_in_flight") == 2
        await trio.sleep(2)  # the first has its answer: one slot is free
        for _ in range(200):
            nursery.start_soon(ask_in_vain, CHAT)
        await trio.sleep(1)
        assert told == ["capacity"] * 399
        await trio.sleep(20)
        assert (told[-1], provider.most) == ("200", 2)


async def test_18_no_caller_holds_all_the_slots(autojump_clock: MockClock, network: Network) -> None:
    """A greedy caller and a dead provider leave slots to others."""
    options = {"max_concurrency": 6, "max_concurrency_per_caller": 2, "max_concurrency_per_provider": 4}
    await network.answer("anthropic", answering(200))
    async with served(network, endless, **options) as bridge, trio.open_nursery() as nursery:
        for name in "aaaabb":
            nursery.start_soon(partial(ask, bridge, authorization=f"Bearer {name}"))
        await trio.sleep(1)
        assert await bridge.metric("rejects_total", reason="caller_capacity") == 2
        assert reason(await ask(bridge, MESSAGES, authorization="Bearer c")) == "200"
        assert reason(await ask(bridge, authorization="Bearer c")) == "provider_capacity"
        nursery.cancel_scope.cancel()


async def test_18_turns_go_round_by_caller(autojump_clock: MockClock, network: Network) -> None:
    """Nine polite callers behind one's forty wait for a turn each, and the forty are served too."""
    provider = Crowded(1.0)
    options = {"max_concurrency": 1, "queue_size": 100, "queue_timeout": 600.0}
    async with served(network, provider, **options) as bridge:
        async with trio.open_nursery() as nursery:
            for name in ["greedy"] * 40 + [f"polite-{n}" for n in range(9)]:
                nursery.start_soon(partial(ask, bridge, authorization=f"Bearer {name}"))
                await trio.testing.wait_all_tasks_blocked()
            assert (await bridge.status())["queue"]["waiting"] == 48
        assert provider.callers[:2] == [b"Bearer greedy"] * 2
        assert provider.callers[2:11] == [b"Bearer polite-%d" % n for n in range(9)]
        assert provider.callers[11:] == [b"Bearer greedy"] * 38


async def test_19_the_rate_is_a_callers_over_all_routes(autojump_clock: MockClock, network: Network) -> None:
    """A caller has one budget for all routes and providers; without a credential its address is counted."""
    async with served(network, answering(200), rate_limit=2) as bridge:
        for path in ("/openai/v1/embeddings", MESSAGES):
            await ask(bridge, path, **{"x-api-key": "one"})
        assert reason(await ask(bridge, **{"x-api-key": "one"})) == "rate_limit"
        told = [reason(await ask(bridge)) for _ in range(3)]
        assert told == ["200", "200", "rate_limit"]


async def test_19_invented_keys_have_budgets_but_no_slots(autojump_clock: MockClock, network: Network) -> None:
    """A new key for each request dodges the rate, as the manual says, and gets past no limit on concurrency."""
    async with served(network, answering(200, after=1.0), rate_limit=1, max_concurrency=5) as bridge:
        async with trio.open_nursery() as nursery:
            for n in range(50):
                nursery.start_soon(partial(ask, bridge, authorization=f"Bearer invented-{n}"))
        assert await bridge.metric("rejects_total", reason="rate_limit") == 0
        assert await bridge.metric("rejects_total", reason="capacity") == 45
    assert "invents credentials" in (Path(__file__).parents[2] / "docs/protections/rate.md").read_text()


async def test_20_a_slot_is_free_when_the_answer_is_out(autojump_clock: MockClock, network: Network) -> None:
    """A caller that comes again with its answer in hand finds its own slot free, a thousand times."""
    async with served(network, answering(200), max_concurrency=1) as bridge:
        assert {(await bridge.client.post(CHAT)).status_code for _ in range(1000)} == {200}


async def test_21_what_a_provider_says_of_waiting_goes_through(
    autojump_clock: MockClock, network: Network
) -> None:
    """Retry-After, request id and quota headers of an error reach the caller."""
    said = [(b"retry-after", b"7"), (b"x-request-id", b"req_up"), (b"x-ratelimit-remaining-requests", b"0")]
    async with served(network, answering(429, *said), **BREAKER) as bridge:
        answer = await ask(bridge)
    assert {name.decode(): value.decode() for name, value in said}.items() <= dict(answer.headers).items()


async def test_22_nothing_cuts_a_running_stream(autojump_clock: MockClock, network: Network) -> None:
    """A stream of two hours ends when its provider ends it."""

    async def long(request: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        for _ in range(120):
            await reply.send(WORD)
            await trio.sleep(60)
        await reply.end()

    async with served(network, long, **BREAKER, max_concurrency=5, rate_limit=5) as bridge:
        answer = await ask(bridge)
        assert answer.content == WORD * 120
        assert trio.current_time() >= 7200


async def test_23_what_passes_through_does_not_go_to_a_dead_provider(
    autojump_clock: MockClock, network: Network
) -> None:
    """Models and token counts never vote, and are refused while the breaker is open."""
    await network.answer("anthropic", answering(529))
    async with served(network, answering(503), **BREAKER) as bridge:
        for provider, asks, method, passes in (
            (0, CHAT, "GET", "/openai/v1/models"),
            (1, MESSAGES, "POST", f"{MESSAGES}/count_tokens"),
        ):
            statuses = {(await bridge.client.request(method, passes)).status_code for _ in range(10)}
            assert statuses <= {503, 529}
            assert breaker(bridge, provider)["verdicts"] == {"success": 0, "failure": 0, "neutral": 0}
            for _ in range(5):
                await ask(bridge, asks)
            assert reason(await bridge.client.request(method, passes)) == "circuit_open"


async def test_24_silence_has_an_end(autojump_clock: MockClock, network: Network) -> None:
    """No head in time is 504; a stream that falls silent ends uncleanly; both are failures."""

    async def silent(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(WORD)
        await trio.sleep_forever()

    times = {"first_byte_timeout": 60.0, "idle_timeout": 30.0}
    provider = Changing(answering(200, after=3600.0))
    async with served(network, provider, **BREAKER, **times) as bridge:
        assert reason(await ask(bridge)) == "upstream_timeout"
        provider.does = silent
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(bridge)
        assert breaker(bridge)["verdicts"]["failure"] == 2
        assert trio.current_time() < 100


async def test_25_a_breaker_is_tested_without_sleeping(autojump_clock: MockClock, network: Network) -> None:
    """An hour of trips and cooldowns passes in virtual time, to the same transitions every time."""
    async with served(network, answering(503), **BREAKER, circuit_breaker_max_cooldown=30.0) as bridge:
        while trio.current_time() < 3600:
            for _ in range(2):
                await ask(bridge)
            await trio.sleep(breaker(bridge)["cooldown_left_s"] or 1)
        trips = [event for event in bridge.published(Transitioned) if event.trip]
        assert len(trips) == breaker(bridge)["trips"] == 3600 / 30
