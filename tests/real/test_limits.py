"""Limits and breakers through the whole stack: slots, unwanted uploads, outages and overrides."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.support.processes import ASK, CHAT, MESSAGES, TEXT, Bridge, Provider, a_bridge, run, until

pytestmark = pytest.mark.real

UNARY: Any = {"model": "m", "messages": ASK}
MIB = 1024 * 1024
QUICK = ("--circuit-breaker", "--circuit-breaker-cooldown", "300ms")


@pytest.fixture(scope="module")
def slow(provider: Provider) -> Iterator[Bridge]:
    """A bridge whose breakers stay open for the length of a test."""
    with a_bridge("--circuit-breaker", provider=provider) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def quick(provider: Provider) -> Iterator[Bridge]:
    """A bridge whose breakers are soon half-open."""
    with a_bridge(*QUICK, provider=provider) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def bare(provider: Provider) -> Iterator[Bridge]:
    """A bridge without breakers, with three slots, and a limit of two megabytes for a request."""
    with a_bridge(
        "--max-concurrency", "3", "--rate-limit", "5", "--max-body", "2MiB", provider=provider
    ) as bridge:
        yield bridge


@pytest.fixture(autouse=True)
def healed(slow: Bridge, quick: Bridge) -> None:
    slow.heal()
    quick.heal()


def asked(bridge: Bridge, path: str = CHAT) -> httpx.Response:
    return bridge.caller.post(path, json=UNARY)


# Breakers


@pytest.mark.parametrize(("name", "path"), [("openai", CHAT), ("anthropic", MESSAGES)])
def test_five_overloads_open_the_circuit(slow: Bridge, provider: Provider, name: str, path: str) -> None:
    """After five 429s the sixth request is answered at once, with what is left of the cooldown, by the bridge."""
    trips = slow.metric("aibridge_circuit_breaker_trips_total", provider=name)
    provider.script({"status": 429, "times": 5})
    assert [asked(slow, path).status_code for _ in range(5)] == [429] * 5
    answer = asked(slow, path)
    assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
    assert 20 <= int(answer.headers["retry-after"]) <= 36
    message = f"{name} is currently unavailable due to upstream rate limiting. Please try again later."
    assert answer.json()["message"] == message
    assert provider.stats()["requests"] == 5
    assert slow.metric("aibridge_circuit_breaker_state", provider=name) == 1
    assert slow.metric("aibridge_circuit_breaker_trips_total", provider=name) == trips + 1


def test_one_providers_outage_is_not_the_others(slow: Bridge, provider: Provider) -> None:
    """An open circuit refuses its own provider's requests and no others."""
    provider.script({"status": 503, "times": 5})
    for _ in range(5):
        asked(slow)
    assert asked(slow).headers["x-aibridge-reject"] == "circuit_open"
    with slow.claude() as claude, slow.gpt(prefix="/copilot") as copilot:
        assert claude.messages.create(model="m", max_tokens=9, messages=ASK).content
        assert copilot.chat.completions.create(model="m", messages=ASK).choices


def test_overloads_inside_good_looking_streams_open_the_circuit(slow: Bridge, provider: Provider) -> None:
    """Error events in 200 streams and answers that break count as failures, and the log says so."""
    provider.script({"fault": "error_event", "times": 2}, {"fault": "truncate"}, {"fault": "reset", "times": 2})
    with slow.gpt() as gpt:
        for _ in range(5):
            with pytest.raises(openai.APIError):
                list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
        assert slow.breaker()["state"] == "open"
    slow.process.says('"event": "breaker".*"to": "open".*5 failures in 10 s, last broken before the head')


def test_waiting_never_helps_against_a_spent_quota(slow: Bridge, provider: Provider) -> None:
    """A 429 that says the account's money is spent is neutral, and so are the provider's other errors."""
    provider.script(
        {"status": 429, "error": "insufficient_quota", "times": 6}, {"status": 500, "times": 6}, {"status": 401}
    )
    assert [asked(slow).status_code for _ in range(14)] == [429] * 6 + [500] * 6 + [401, 200]
    assert (slow.breaker()["state"], slow.breaker()["failures_in_window"]) == ("closed", 0)


def test_three_probes_close_the_circuit(quick: Bridge, provider: Provider) -> None:
    """Without any traffic the cooldown ends; three good answers then close the circuit."""
    provider.script({"status": 503, "times": 5})
    for _ in range(5):
        asked(quick)
    until(lambda: quick.breaker()["state"] == "half-open", "half-open")
    with quick.gpt() as gpt:
        for state in ("half-open", "half-open", "closed"):
            assert gpt.chat.completions.create(model="m", messages=ASK).choices[0].message.content == TEXT
            assert quick.breaker()["state"] == state
    assert quick.metric("aibridge_circuit_breaker_state", provider="openai") == 0


def test_one_bad_probe_opens_the_circuit_again(quick: Bridge, provider: Provider) -> None:
    """One failure in half-open is enough."""
    provider.script({"status": 503, "times": 6})
    for _ in range(5):
        asked(quick)
    until(lambda: quick.breaker()["state"] == "half-open", "half-open")
    trips = quick.breaker()["trips"]
    assert asked(quick).headers.get("x-aibridge-reject") is None
    assert quick.breaker()["trips"] == trips + 1
    until(lambda: quick.breaker()["state"] == "half-open", "half-open again")


def test_probes_are_few(slow: Bridge, provider: Provider) -> None:
    """In half-open three requests are let through at once; who leaves without a verdict gives its permit back."""
    for mode in ("open", "auto"):
        slow.admin.post("/breakers/openai", json={"mode": mode}).raise_for_status()
    provider.script({"delay": 60, "times": 3})
    with ExitStack() as probes:
        for n in range(1, 4):
            probes.enter_context(_begun(slow))
            until(lambda n=n: provider.stats()["in_flight"] == n, "a probe at the provider")  # type: ignore[misc]
        assert slow.breaker()["probes"] == 3
        refused = asked(slow)
        assert (refused.headers["x-aibridge-reject"], refused.headers["retry-after"]) in (
            ("circuit_open", "1"),
            ("circuit_open", "2"),
        )
    until(lambda: slow.breaker()["probes"] == 0, "permits back")
    assert slow.breaker()["state"] == "half-open"
    assert asked(slow).status_code == 200


def _begun(bridge: Bridge) -> socket.socket:
    """Send a request and wait for nothing."""
    sock = bridge.stranger()
    body = b'{"model":"m","messages":[]}'
    sock.sendall(
        b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s" % (CHAT.encode(), len(body), body)
    )
    return sock


def test_the_operator_overrules(slow: Bridge, provider: Provider) -> None:
    """`aibridge breaker` opens a circuit for as long as the operator likes, and gives it back to itself."""
    done = run("breaker", "open", "openai", "--url", slow.admin_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "openai: open, mode open\n", "")
    answer = asked(slow)
    assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
    assert "retry-after" not in answer.headers
    assert provider.stats()["requests"] == 0
    done = run("breaker", "auto", "openai", AIBRIDGE_ADMIN_URL=slow.admin_url)
    assert (done.returncode, done.stdout) == (0, "openai: half-open, mode auto\n")
    assert [asked(slow).status_code for _ in range(3)] == [200] * 3
    assert (slow.breaker()["state"], slow.breaker()["mode"]) == ("closed", "auto")
    slow.process.says('"event": "override".*"mode": "open"')


def test_an_order_that_cannot_be_carried_out_is_one_line(bare: Bridge, slow: Bridge) -> None:
    """Breakers that are off, an unknown provider, a closed port: status 1 and one line that says so."""
    orders = {
        "circuit breakers are off": ("openai", bare.admin_url),
        "no such provider; there are openai, anthropic, copilot": ("gemini", slow.admin_url),
        "no bridge answers at http://127.0.0.1:1": ("openai", "http://127.0.0.1:1"),
    }
    for said, (provider, url) in orders.items():
        done = run("breaker", "open", provider, "--url", url)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert line.startswith("aibridge: ")
        assert said in line


def test_the_operator_shows_the_token(tmp_path: Path) -> None:
    """A bridge that asks for a token takes orders from `aibridge breaker` that has it, and tells others how."""
    (tmp_path / "token").write_text("tell-nobody-0123")
    flags = ("--circuit-breaker", "--admin-token-file", str(tmp_path / "token"))
    with a_bridge(*flags, token="tell-nobody-0123") as bridge:
        order = ("breaker", "close", "anthropic", "--url", bridge.admin_url)
        refused, obeyed = run(*order), run(*order, AIBRIDGE_ADMIN_TOKEN="tell-nobody-0123")
        assert bridge.breaker("anthropic")["mode"] == "close"
    (line,) = refused.stderr.splitlines()
    assert (refused.returncode, obeyed.returncode) == (1, 0)
    assert "AIBRIDGE_ADMIN_TOKEN" in line


# Slots


def test_the_one_too_many_is_rejected_at_once(bare: Bridge, provider: Provider) -> None:
    """With as many streams open as are allowed the next request is rejected, and admitted once one has gone."""
    provider.script({"fault": "stall", "times": 3})
    rejects = bare.rejects("capacity")
    with ExitStack() as held:
        first = held.enter_context(ExitStack())
        for stack, key in ((first, "sk-1"), (held, "sk-2"), (held, "sk-3")):
            stack.enter_context(bare.holding(key))
        assert bare.in_flight() == 3
        for path in (CHAT, "/openai/v1/models", "/nowhere", "/"):  # every request takes this way
            answer = bare.caller.get(path)
            assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "capacity")
        assert bare.rejects("capacity") == rejects + 4
        assert bare.admin.get("/healthz").status_code == 200
        first.close()
        until(lambda: bare.in_flight() == 2, "a slot back")
        assert asked(bare).status_code == 200
    until(lambda: bare.in_flight() == 0, "every slot back")
    assert provider.stats()["requests"] == 4


@pytest.mark.parametrize(
    "behind", [b"", b"\r\n", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"], ids=["", "CRLF", "request"]
)
def test_who_leaves_is_missed(bare: Bridge, provider: Provider, behind: bytes) -> None:
    """A caller that leaves while the provider is silent frees both, whatever it had sent behind its request."""
    provider.script({"delay": 60})
    with _begun(bare) as caller:
        caller.sendall(behind)
        until(lambda: provider.stats()["in_flight"] == 1, "the request at the provider")
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    until(lambda: bare.in_flight() == 0, "the slot back")


# Unwanted uploads


def test_a_large_upload_against_a_spent_budget_is_answered(bare: Bridge, provider: Provider) -> None:
    """Twenty megabytes that meet the rate limit get their 429, and the connection goes on serving."""
    headers = {"authorization": "Bearer sk-large-upload"}
    with httpx.Client(base_url=bare.url, headers=headers, trust_env=False, timeout=20) as caller:
        statuses = [caller.get("/").status_code for _ in range(6)]
        answer = caller.post(CHAT, content=bytes(20 * MIB))
        assert (statuses[:5], answer.headers["x-aibridge-reject"]) == ([200] * 5, "rate_limit")
        assert answer.status_code == 429
        assert caller.get("/", headers={"authorization": "Bearer sk-other"}).status_code == 200
    assert provider.stats()["requests"] == 0


def test_a_large_upload_that_was_announced_is_refused(bare: Bridge, provider: Provider) -> None:
    """Twenty megabytes where two are allowed get their 413 before the provider is touched."""
    with httpx.Client(base_url=bare.url, trust_env=False, timeout=20) as caller:
        answer = caller.post(CHAT, content=bytes(20 * MIB), headers={"authorization": "Bearer sk-huge"})
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (413, "body_too_large")
        assert caller.get("/", headers={"authorization": "Bearer sk-after-announced"}).status_code == 200
    assert provider.stats()["requests"] == 0
    assert bare.in_flight() == 0


def test_a_body_that_turns_out_too_long_is_refused(bare: Bridge, provider: Provider) -> None:
    """A chunked body over the limit is found on the way: 413, and the provider never gets the whole of it."""
    pieces = (bytes(64 * 1024) for _ in range(5 * 16))
    with httpx.Client(base_url=bare.url, trust_env=False, timeout=20) as caller:
        answer = caller.post(CHAT, content=pieces, headers={"authorization": "Bearer sk-chunked"})
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (413, "body_too_large")
        assert caller.get("/", headers={"authorization": "Bearer sk-after-chunked"}).status_code == 200
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    assert provider.last()["body_bytes"] <= 2 * MIB
    assert bare.in_flight() == 0


def test_a_body_at_the_limit_goes_through(bare: Bridge, provider: Provider) -> None:
    """Two megabytes where two are allowed arrive byte for byte, announced or chunked."""
    body = bytes(range(256)) * (2 * MIB // 256)
    for content in (body, iter([body[:MIB], body[MIB:]])):
        bare.caller.post(CHAT, content=content, headers={"authorization": "Bearer sk-exact"})
    first, second = provider.stats()["last"]
    assert (first["body_bytes"], first["body_sha256"]) == (len(body), second["body_sha256"])
