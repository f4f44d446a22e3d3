"""What callers with real SDKs, on real sockets, feel of --adaptive."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import openai
import pytest

from tests.support.processes import ASK, CHAT, MESSAGES, TEXT, Bridge, Provider, a_bridge, a_provider, until

pytestmark = pytest.mark.real

QUESTION = {"model": "m", "messages": ASK, "max_tokens": 9}


@pytest.fixture
def adaptive(provider: Provider) -> Iterator[Bridge]:
    """A bridge that holds requests."""
    with a_bridge("--adaptive", provider=provider) as bridge:
        yield bridge


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def later(seconds: float, port: int) -> Iterator[None]:
    """Start a provider on this port after so many seconds."""
    over = threading.Event()

    def run() -> None:
        time.sleep(seconds)
        with a_provider(bind=f"127.0.0.1:{port}"):
            over.wait()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_overload_is_not_seen(adaptive: Bridge, provider: Provider) -> None:
    """Both SDKs, without retries of their own, get their answer after two overloads; a stream, too."""
    provider.script({"status": 529, "times": 2})
    with adaptive.claude() as claude:
        assert claude.messages.create(model="m", messages=ASK, max_tokens=9).content
    provider.script({"status": 503, "times": 2})
    with adaptive.gpt() as gpt:
        stream = gpt.chat.completions.create(model="m", messages=ASK, stream=True)
        said = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
    assert said == TEXT
    assert provider.stats()["requests"] == 6
    assert [line["status"] for line in adaptive.requests(2)] == [200, 200]


@pytest.mark.parametrize("status", [503, 529])
def test_an_outage_of_three_seconds_is_not_seen(adaptive: Bridge, provider: Provider, status: int) -> None:
    """Both SDKs, which do not retry, wait for it to end: unary and streamed."""
    with adaptive.claude(timeout=60) as claude, adaptive.gpt(timeout=60) as gpt, ThreadPoolExecutor(4) as pool:

        def claude_streams() -> str:
            with claude.messages.stream(model="m", messages=ASK, max_tokens=99) as stream:
                return stream.get_final_text()

        def gpt_streams() -> str:
            stream = gpt.chat.completions.create(model="m", messages=ASK, stream=True)
            return "".join(part.choices[0].delta.content or "" for part in stream if part.choices)

        with provider.outage(status, 3.0):
            streams = [pool.submit(claude_streams), pool.submit(gpt_streams)]
            unary = pool.submit(claude.messages.create, model="m", messages=ASK, max_tokens=99)
            chat = pool.submit(gpt.chat.completions.create, model="m", messages=ASK)
        assert [stream.result() for stream in streams] == [TEXT, TEXT]
        assert unary.result().content
        assert chat.result().choices[0].message.content == TEXT
    lines = adaptive.requests(4)
    assert [line["status"] for line in lines] == [200] * 4
    # One that comes when the outage is known already goes up once, after it.
    assert all(line["held_s"] > 0 for line in lines)
    assert {line["provider"] for line in lines if line["sent_again"]} == {"anthropic", "openai"}


def test_a_provider_that_comes_up_later_answers() -> None:
    """A refused connection is tried again until it is accepted."""
    port = free_port()
    with a_bridge("--adaptive", "--openai-base-url", f"http://127.0.0.1:{port}/v1") as bridge, later(1.0, port):
        answer = bridge.caller.post(CHAT, json=QUESTION, timeout=60)
    assert answer.status_code == 200


def test_an_exhausted_account_is_not_waited_for(adaptive: Bridge, provider: Provider) -> None:
    """The SDK's error is the provider's own, at once."""
    provider.script({"status": 429, "error": "insufficient_quota"})
    with adaptive.gpt() as gpt, pytest.raises(openai.RateLimitError) as caught:
        gpt.chat.completions.create(model="m", messages=ASK)
    assert caught.value.code == "insufficient_quota"
    assert provider.stats()["requests"] == 1


def test_a_caller_that_leaves_is_not_sent_again(adaptive: Bridge, provider: Provider) -> None:
    """What it waited for is forgotten at once."""
    provider.script({"status": 529, "times": 1000})
    with pytest.raises(httpx.ReadTimeout):
        adaptive.caller.post(MESSAGES, json=QUESTION, timeout=1)
    [line] = adaptive.requests(1)
    assert line["left"] or line["status"] == 499
    sent = provider.stats()["requests"]
    time.sleep(4)
    assert provider.stats()["requests"] == sent


def test_a_stop_rejects_what_is_held(provider: Provider) -> None:
    """At once, with a reject that tells the SDK to come again."""
    provider.script({"status": 529, "times": 1000})
    with a_bridge("--adaptive", "--graceful-timeout", "1h", provider=provider) as bridge:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(bridge.caller.post, MESSAGES, json=QUESTION, timeout=60)
            until(lambda: provider.stats()["requests"], "a request at the provider")
            bridge.process.signal()
            assert answer.result().headers["x-aibridge-reject"] == "shutting_down"
        assert bridge.process.wait() == 0


def test_more_than_the_provider_takes_is_held() -> None:
    """Thirty callers at once and a provider with three slots: all are answered."""
    with a_provider() as narrow:
        narrow.change(slots=3, latency=0.05)
        with a_bridge("--adaptive", provider=narrow) as bridge, ThreadPoolExecutor(30) as pool:
            calls = [pool.submit(bridge.caller.post, MESSAGES, json=QUESTION, timeout=60) for _ in range(30)]
            assert [call.result().status_code for call in calls] == [200] * 30
