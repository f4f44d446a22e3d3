"""Simulated clients come back as the real ones do."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest

from aibridge_trio.errors import CircuitOpen, RateLimited
from aibridge_trio.simulate.world.clients import BROKEN, CLIENTS, Client, retry_after

SDKS = ("openai-python", "openai-node", "anthropic-python")


def again(client: str, status: int, retries: int = 0, chance: float = 0.0, **headers: str) -> float | None:
    """Return after how long a client comes back."""
    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return CLIENTS[client].retry_delay(status, said, retries, chance)


@pytest.mark.parametrize(
    ("client", "retried"),
    [
        *((sdk, (BROKEN, 408, 409, 429, 500, 502, 503, 504, 529)) for sdk in SDKS),
        ("codex", (BROKEN, 500, 502, 503, 504, 529)),
        ("claude-code", (BROKEN, 429, 503, 529)),
        ("none", ()),
        ("relentless", (BROKEN, 400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529)),
    ],
)
def test_each_client_retries_what_it_retries(client: str, retried: tuple[int, ...]) -> None:
    """By status, and after a broken connection."""
    statuses = (BROKEN, 400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529)
    assert tuple(status for status in statuses if again(client, status) is not None) == retried


@pytest.mark.parametrize(
    ("client", "waits"),
    [
        *((sdk, [0.5, 1.0]) for sdk in SDKS),
        ("codex", [0.2, 0.4, 0.8, 1.6]),
        ("claude-code", [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0, 32.0]),
        ("none", []),
    ],
)
def test_each_client_backs_off_in_its_own_way(client: str, waits: list[float]) -> None:
    """So often, and so long, in the middle of what chance makes of it."""
    middle = {"codex": 0.5, "claude-code": 0.0}.get(client, 1.0)
    found = [again(client, 503, retries, middle) for retries in range(len(waits))]
    assert found == pytest.approx(waits)
    assert again(client, 503, len(waits)) is None


def test_claude_code_goes_on_for_three_minutes() -> None:
    """As observed; a Retry-After that is shorter than its own wait shortens nothing."""
    for told in ({}, {"retry_after": "1"}):
        waits = [again("claude-code", 529, retries, 0.5, **told) or 0.0 for retries in range(10)]
        assert 170 < sum(waits) < 190


@pytest.mark.parametrize(("status", "retries"), [(429, 5), (503, 29), (400, 0)])
def test_codex_starts_over(status: int, retries: int) -> None:
    """As observed: 29 retries of a 503 and 5 of a 429, each as told."""
    client, waits, left, restarts = CLIENTS["codex"], [], 0, 0
    told = [(b"retry-after-ms", b"200"), (b"retry-after", b"2")]
    while True:
        seconds = client.retry_delay(status, told, left, 0.5)
        left += 1
        if seconds is None:
            seconds = client.restart_delay(status, told, restarts, 0.5)
            left, restarts = 0, restarts + 1
        if seconds is None:
            break
        waits.append(seconds)
    assert waits == [2.0] * retries


def test_relentless_never_stops() -> None:
    """However often it has tried, it comes back after half a second, whatever Retry-After says."""
    for retries in (0, 10, 10_000):
        assert again("relentless", 503, retries, 0.5, retry_after="30") == 0.5
    assert Client(name="x", retries=9999, transport=True).retry_delay(BROKEN, (), 5000, 0.5) == 8.0


@pytest.mark.parametrize(
    ("client", "seconds", "slept"),
    [
        ("openai-python", "3", 3.0),
        ("openai-python", "120", 120.0),
        ("openai-python", "121", None),
        ("openai-node", "60", 60.0),
        ("openai-node", "61", 0.5),
        ("anthropic-python", "3600", 3600.0),
        ("anthropic-python", "0", 0.5),
        ("codex", "30", 30.0),
        ("claude-code", "30", 30.0),
        ("none", "30", None),
    ],
)
def test_each_client_obeys_as_far_as_it_does(client: str, seconds: str, slept: float | None) -> None:
    """A Retry-After is slept up to the client's own limit; beyond, it gives up or uses its own wait."""
    middle = {"codex": 0.5, "claude-code": 0.0}.get(client, 1.0)
    assert again(client, 503, 0, middle, retry_after=seconds) == pytest.approx(slept)


@pytest.mark.parametrize("client", SDKS)
def test_sdks_read_milliseconds_first_and_believe_in_x_should_retry(client: str) -> None:
    """`retry-after-ms` wins; `x-should-retry` overrides the status in both directions."""
    assert again(client, 503, retry_after_ms="1500", retry_after="9") == 1.5
    assert again(client, 503, x_should_retry="false") is None
    assert again(client, 400, x_should_retry="true") is not None
    assert again("claude-code", 503, x_should_retry="false") is None
    assert again("codex", 503, x_should_retry="false") is not None


def test_what_the_bridge_says_is_understood() -> None:
    """The product's own rejects: above a minute SDKs give up, below it they wait as long as Retry-After says."""
    short, long = RateLimited(0.25).headers(0.2), CircuitOpen("openai", "overload", 61.0).headers(0.0)
    assert retry_after(short) == pytest.approx(0.3)
    assert CLIENTS["openai-python"].retry_delay(429, short, 0, 0.0) == pytest.approx(0.3)
    assert [CLIENTS[sdk].retry_delay(503, long, 0, 0.0) for sdk in SDKS] == [None, None, None]
    assert CLIENTS["claude-code"].retry_delay(503, long, 0, 0.0) is None


def test_a_client_of_ones_own() -> None:
    """Whatever its numbers."""
    client = Client(name="x", retries=1, statuses=(418,), first=3.0, longer=1.0)
    assert client.retry_delay(418, (), 0, 0.5) == 4.5
    assert client.retry_delay(503, (), 0, 0.5) is None
    assert client.retry_delay(BROKEN, (), 0, 0.5) is None


HEADERS: list[dict[str, str]] = [
    {},
    {"retry-after": "2"},
    {"retry-after-ms": "700", "retry-after": "1"},
    {"retry-after": "90"},
    {"retry-after": "300"},
    {"retry-after": "300", "x-should-retry": "false"},
    {"retry-after": "5", "x-should-retry": "false"},
    {"x-should-retry": "true"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
@pytest.mark.parametrize("status", [400, 409, 429, 500, 503, 529])
@pytest.mark.parametrize("name", ["openai-python", "anthropic-python"])
def test_the_real_sdks_agree(
    name: str, status: int, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installed SDK, asked itself, retries the same answers after the same time."""
    sdk: Any = {"openai-python": openai, "anthropic-python": anthropic}[name]
    monkeypatch.setattr(sdk._base_client, "random", lambda: 1.0)
    client = (sdk.OpenAI if sdk is openai else sdk.Anthropic)(api_key="k", base_url="http://nowhere")
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("POST", "http://nowhere"))
    options = sdk._models.FinalRequestOptions(method="post", url="/x", max_retries=2)
    expected = None
    if client._should_retry(response):
        expected = client._calculate_retry_timeout(2, options, response.headers)
    said = [(key.encode(), value.encode()) for key, value in headers.items()]
    assert CLIENTS[name].retry_delay(status, said, 0, 0.0) == pytest.approx(expected)
