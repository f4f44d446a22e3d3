"""What a caller with a real SDK feels of the queue, of shares, of keys that rest, of scopes and of shadow."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import anthropic
import httpx
import openai
import pytest

from tests.support.processes import ASK, CHAT, TEXT, Bridge, Provider, a_bridge, until

pytestmark = pytest.mark.real

BREAKER = ("--circuit-breaker", "--circuit-breaker-failure-threshold", "2")


def said(client: openai.OpenAI) -> str | None:
    """Ask a question; return the answer."""
    content: str | None = client.chat.completions.create(model="m", messages=ASK).choices[0].message.content
    return content


@contextmanager
def threads(many: int) -> Iterator[ThreadPoolExecutor]:
    """Callers at the same time."""
    with ThreadPoolExecutor(many) as pool:
        yield pool


def waiting(bridge: Bridge) -> int:
    """Return how many wait in the queue."""
    found: int = bridge.status()["queue"]["waiting"]
    return found


# The queue


@pytest.fixture
def narrow(provider: Provider) -> Iterator[Bridge]:
    """A bridge with one slot, and a queue."""
    with a_bridge(
        "--max-concurrency", "1", "--queue-size", "50", "--queue-timeout", "20s", provider=provider
    ) as it:
        yield it


def test_waiting_and_then_served(narrow: Bridge, provider: Provider) -> None:
    """The SDK's call takes longer, and that is all: nothing is retried, nothing rejected."""
    provider.script({"delay": 1.0, "times": 3})
    with threads(3) as pool, narrow.gpt(retries=2) as gpt:
        answers = list(pool.map(lambda _: said(gpt), range(3)))
    assert answers == [TEXT] * 3
    assert provider.stats()["requests"] == 3
    assert [dict(seen["headers"])["x-stainless-retry-count"] for seen in provider.stats()["last"]] == ["0"] * 3
    waits = narrow.status()["queue"]
    assert (waits["served"], waits["full"], waits["timed_out"]) == (2, 0, 0)
    assert narrow.metric("aibridge_queue_wait_seconds_count", outcome="served") == 2


def test_told_at_once_that_waiting_is_useless(narrow: Bridge, provider: Provider) -> None:
    """A caller with less patience than its turn would take gets its SDK's overload error instead of a time-out."""
    provider.script({"delay": 3}, {"delay": 30})  # 2 s more than it waits: this test may itself be slow
    with threads(2) as pool, narrow.gpt() as gpt, narrow.gpt(timeout=1.0) as hasty:
        said(gpt)
        pool.submit(narrow.caller.post, CHAT, json={"model": "m", "messages": ASK}, timeout=httpx.Timeout(60))
        until(lambda: narrow.in_flight() == 1, "a slot that is held")
        began = time.perf_counter()
        with pytest.raises(openai.InternalServerError) as caught:
            said(hasty)
        assert time.perf_counter() - began < 0.9
        assert caught.value.response.headers["x-aibridge-reject"] == "queue_deadline"
        assert "a turn would come in about" in caught.value.message
        assert int(caught.value.response.headers["retry-after-ms"]) > 0
        narrow.process.end(kindly=False)


def test_who_hangs_up_in_the_queue_never_reaches_the_provider(narrow: Bridge, provider: Provider) -> None:
    """Its place is free at once, no tokens are generated; of its body only what came with its head was read."""
    provider.script({"fault": "stall"})
    with narrow.holding("sk-first"):
        with narrow.stranger() as stranger:
            stranger.sendall(
                b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: [::1]\r\nauthorization: Bearer sk-gone\r\n"
                b"content-length: 20000000\r\n\r\n" + b"x" * 100_000
            )
            until(lambda: waiting(narrow) == 1, "somebody who waits")
        until(lambda: waiting(narrow) == 0, "an empty queue")
    assert provider.stats()["requests"] == 1
    until(lambda: narrow.in_flight() == 0, "free slots")
    gone = until(lambda: [line for line in narrow.requests() if line["status"] == 499], "a line in the log")
    assert [line["left"] for line in gone] == [True]
    assert gone[0]["bytes_in"] <= 64 * 1024  # what came along with the head


def test_an_upload_waits_with_its_request(narrow: Bridge, provider: Provider) -> None:
    """Of 20 MB no more is taken than buffers hold, while it waits; when its turn comes all of it arrives."""
    provider.script({"fault": "stall"})
    question, piece = json.dumps({"model": "m", "messages": ASK}).encode(), b" " * 50_000
    taken = 0

    def body() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(400):
            taken += len(piece)
            yield piece
        yield question

    def at_rest() -> bool:
        before = taken
        time.sleep(0.3)
        return 0 < before == taken

    length = {"content-length": str(400 * len(piece) + len(question))}
    with threads(1) as pool:
        with narrow.holding("sk-first"):
            upload = pool.submit(httpx.post, narrow.url + CHAT, content=body(), headers=length, timeout=60)
            until(lambda: waiting(narrow) == 1, "somebody who waits")
            until(at_rest, "an upload that has come to rest")
            assert taken < 15_000_000
            assert provider.stats()["requests"] == 1
        assert upload.result().status_code == 200
    assert provider.last()["body_bytes"] == int(length["content-length"])


# A greedy caller, forty requests at once, beside nine polite ones


@contextmanager
def greed(bridge: Bridge, provider: Provider) -> Iterator[None]:
    """Four streams of the greedy caller's that stand for as long as the block lasts."""
    provider.script({"fault": "stall", "times": 4})
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(bridge.holding("sk-greedy"))
        yield


@contextmanager
def ten(bridge: Bridge) -> Iterator[tuple[openai.OpenAI, list[openai.OpenAI]]]:
    """The greedy caller and the polite ones, all patient, all ready to try again."""
    with ExitStack() as clients:
        greedy, *polite = [
            clients.enter_context(bridge.gpt(f"sk-{name}", timeout=120, retries=2))
            for name in ("greedy", *(f"polite-{n}" for n in range(9)))
        ]
        yield greedy, polite


def test_a_greedy_caller_costs_polite_ones_a_turn(provider: Provider) -> None:
    """In the queue nine polite callers behind forty requests are served first, without rejects and retries."""
    flags = ("--max-concurrency", "4", "--queue-size", "100", "--queue-timeout", "60s")
    with a_bridge(*flags, provider=provider) as bridge, threads(49) as pool, ten(bridge) as (greedy, polite):
        with greed(bridge, provider):
            asked = [pool.submit(said, greedy) for _ in range(40)]
            until(lambda: waiting(bridge) == 40, "a flood that waits")
            asked += [pool.submit(said, gpt) for gpt in polite]
            until(lambda: waiting(bridge) == 49, "polite callers behind it")
        assert [future.result() for future in asked] == [TEXT] * 49
        queue = bridge.status()["queue"]
        assert (queue["served"], queue["full"], queue["timed_out"], queue["hopeless"]) == (49, 0, 0, 0)
    # The mock remembers the last 32 of 53. As they came, the polite ones would be the last nine.
    assert provider.stats()["requests"] == 53
    assert {dict(seen["headers"])["authorization"] for seen in provider.stats()["last"]} == {"Bearer sk-greedy"}


def test_a_greedy_callers_share_is_no_more_than_that(provider: Provider) -> None:
    """With a limit per caller forty requests more are its own rejects, at once; the polite ones are all served."""
    flags = ("--max-concurrency", "20", "--max-concurrency-per-caller", "4")
    with a_bridge(*flags, provider=provider) as bridge, threads(49) as pool, ten(bridge) as (greedy, polite):
        with greed(bridge, provider):
            once = greedy.with_options(max_retries=0)
            flood = [pool.submit(said, once) for _ in range(40)]
            served = [pool.submit(said, gpt) for gpt in polite]
            assert [future.result() for future in served] == [TEXT] * 9
            for future in flood:
                error = future.exception()
                assert isinstance(error, openai.RateLimitError)
                assert error.response.headers["x-aibridge-reject"] == "caller_capacity"
        assert bridge.rejects("caller_capacity") == 40
    assert provider.stats()["requests"] == 13


# The end


def test_who_waits_at_a_stop_is_served_if_its_turn_comes(provider: Provider) -> None:
    """A stop signal empties no queue: within the grace those who wait have their turns, and then it ends."""
    flags = ("--max-concurrency", "1", "--queue-size", "9", "--queue-timeout", "60s", "--graceful-timeout", "60s")
    provider.script({"fault": "stall"})
    with a_bridge(*flags, provider=provider) as bridge, threads(2) as pool, bridge.gpt(timeout=120) as gpt:
        with bridge.holding("sk-first"):
            asked = [pool.submit(said, gpt) for _ in range(2)]
            until(lambda: waiting(bridge) == 2, "two who wait")
            bridge.process.signal()
            bridge.process.says('"event": "drain"')
            assert waiting(bridge) == 2
        assert [future.result() for future in asked] == [TEXT] * 2
        assert bridge.process.wait(within=15) == 0


def test_a_stop_leaves_no_request_waiting(provider: Provider) -> None:
    """At a drain queued requests are served in time or rejected; the program ends within its grace."""
    flags = ("--max-concurrency", "1", "--queue-size", "9", "--queue-timeout", "60s", "--graceful-timeout", "1s")
    provider.script({"delay": 30, "times": 3})
    with a_bridge(*flags, provider=provider) as bridge, threads(3) as pool:
        asked = [pool.submit(httpx.post, bridge.url + CHAT, json={"model": "m", "messages": ASK}, timeout=60)]
        until(lambda: bridge.in_flight() == 1, "a slot that is held")
        asked += [
            pool.submit(httpx.post, bridge.url + CHAT, json={"model": "m", "messages": ASK}, timeout=60)
            for _ in range(2)
        ]
        until(lambda: waiting(bridge) == 2, "two who wait")
        bridge.process.signal()
        assert bridge.process.wait(within=15) == 0
        cut, *told = asked
        assert isinstance(cut.exception(), httpx.TransportError)
        for answer in (future.result() for future in told):
            assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "shutting_down")


# What a provider says


def test_a_provider_that_says_when_is_left_alone_until_then(provider: Provider) -> None:
    """After a 429 with Retry-After: 90 the next calls are answered by the bridge, with those 90 seconds."""
    flags = ("--circuit-breaker", "--circuit-breaker-failure-threshold", "1")
    provider.script({"status": 429, "headers": {"retry-after": "90"}})
    with a_bridge(*flags, provider=provider) as bridge, bridge.claude() as claude, bridge.gpt() as gpt:
        with pytest.raises(openai.RateLimitError):
            said(gpt)
        with pytest.raises(openai.InternalServerError) as caught:
            said(gpt)
        headers = caught.value.response.headers
        assert 80 <= int(headers["retry-after"]) <= 109
        assert headers["x-should-retry"] == "false"
        assert claude.messages.create(model="m", max_tokens=9, messages=ASK).content  # another provider
        assert bridge.breaker()["cooldown_s"] == pytest.approx(90, abs=1)
    assert provider.stats()["requests"] == 2


def test_a_key_that_was_told_to_wait_rests_alone(provider: Provider) -> None:
    """Its caller gets a RateLimitError with the provider's own time; another key is served, the breaker closed."""
    provider.script({"status": 429, "headers": {"retry-after": "40"}})
    flags = (*BREAKER, "--circuit-breaker-429", "credential")
    with a_bridge(*flags, provider=provider) as bridge, bridge.claude("sk-ant-alice-0123456789") as alice:
        for reject in (None, "credential_cooldown"):
            with pytest.raises(anthropic.RateLimitError) as caught:
                alice.messages.create(model="m", max_tokens=9, messages=ASK)
            assert caught.value.response.headers.get("x-aibridge-reject") == reject
        assert 30 <= int(caught.value.response.headers["retry-after"]) <= 48
        assert "has told your key to wait" in caught.value.message
        with bridge.claude("sk-ant-bob") as bob:
            assert bob.messages.create(model="m", max_tokens=9, messages=ASK).content
        state = bridge.breaker("anthropic")
        assert state["state"] == "closed"
        assert state["credentials"]["callers"][0]["hint"] == "…6789"
    assert "sk-ant-alice" not in bridge.process.stderr


def test_the_central_keys_429s_count_for_all_callers(provider: Provider) -> None:
    """With the bridge's own key they trip the breaker, for every caller."""
    provider.script({"status": 429, "times": 2})
    flags = (*BREAKER, "--circuit-breaker-429", "credential")
    with a_bridge(*flags, provider=provider, OPENAI_API_KEY="sk-central") as bridge:
        for name in ("a", "b"):
            with bridge.gpt(f"sk-{name}") as gpt, pytest.raises(openai.RateLimitError):
                said(gpt)
        assert bridge.breaker()["state"] == "open"


def test_one_models_outage_leaves_the_others(provider: Provider) -> None:
    """With a breaker per model the SDK's other models are served; the name stands behind the messages."""
    provider.script({"status": 529, "times": 2})
    flags = (*BREAKER, "--circuit-breaker-scope", "model", "--circuit-breaker-models", "ill-*,well")
    with a_bridge(*flags, provider=provider) as bridge, bridge.claude() as claude:
        for reject in (None, None, "circuit_open"):
            with pytest.raises(anthropic.InternalServerError) as caught:
                claude.messages.create(max_tokens=9, messages=ASK, model="ill-20261126")
            assert caught.value.response.headers.get("x-aibridge-reject") == reject
        assert claude.messages.create(max_tokens=9, messages=ASK, model="well").content
        scopes = {scope["name"]: scope["state"] for scope in bridge.breaker("anthropic")["scopes"]}
        assert scopes == {"ill-*": "open", "well": "closed", "other": "closed"}


def test_a_late_first_byte_trips_it(provider: Provider) -> None:
    """Two answers that begin late are failures while they are still awaited, and are relayed in the end."""
    provider.script({"delay": 1.5, "times": 2})
    flags = (*BREAKER, "--circuit-breaker-slow-first-byte", "300ms")
    with a_bridge(*flags, provider=provider) as bridge, bridge.gpt() as gpt, threads(2) as pool:
        late = [pool.submit(said, gpt) for _ in range(2)]
        until(lambda: bridge.breaker()["state"] == "open", "an open breaker")
        assert [future.result() for future in late] == [TEXT] * 2


def test_after_an_outage_a_tenth_comes_first(provider: Provider) -> None:
    """With a ramp one in ten is admitted behind the probes, and the others get a Retry-After."""
    provider.script({"status": 503, "times": 2})
    flags = (*BREAKER, "--circuit-breaker-cooldown", "300ms", "--circuit-breaker-ramp", "10m")
    with a_bridge(*flags, provider=provider) as bridge:
        ask = {"model": "m", "messages": ASK}
        for _ in range(2):
            bridge.caller.post(CHAT, json=ask)
        until(lambda: bridge.breaker()["state"] == "half-open", "half-open")
        for _ in range(3):
            assert bridge.caller.post(CHAT, json=ask).status_code == 200
        statuses = [bridge.caller.post(CHAT, json=ask).status_code for _ in range(40)]
        assert 3 <= statuses.count(200) <= 7
        assert 0.1 <= bridge.breaker()["share"] <= 0.2


def test_shadow_rejects_no_caller_and_says_which_it_would_have(provider: Provider) -> None:
    """A new operator's first day: all are served, and metrics and log tell what the limits would have done."""
    flags = ("--max-concurrency", "1", "--rate-limit", "1", "--shadow", "concurrency,rate")
    with a_bridge(*flags, provider=provider) as bridge, bridge.gpt() as gpt:
        assert [said(gpt) for _ in range(3)] == [TEXT] * 3
        assert bridge.rejects("rate_limit") == 0
        assert bridge.metric("aibridge_would_reject_total", reason="rate_limit") >= 1
        first, *others = [line["would_reject"] for line in bridge.requests(3)]
        assert first is None
        assert "rate_limit" in others
        bridge.process.says("nothing is rejected by concurrency, rate; it is only counted")
