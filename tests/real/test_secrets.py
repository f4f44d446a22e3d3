"""Secrets stay where they are: through all that can happen, none is shown anywhere."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.forward_proxy import Proxy, a_proxy
from tests.support.processes import ASK, CHAT, MESSAGES, Bridge, Provider, a_bridge, run, until

pytestmark = pytest.mark.real

UNARY: Any = {"model": "m", "messages": ASK}
STREAMED: Any = {**UNARY, "stream": True}

# What must not be found anywhere. What follows the last dash in a credential may: the hint shows four of it.
CANARIES = {
    "central OpenAI key": "sk-canary-7f31c9d2",
    "central Anthropic key": "sk-ant-canary-81b6e0a4",
    "bearer": "sk-caller-canary-c40d77e1",
    "x-api-key": "sk-key-canary-90aa2b6f",
    "basic": "basic-canary-55e1d3c7",
    "refused": "refused-canary-2d9f6b18",
    "admin token": "admin-canary-e6a27f90",
    "wrong token": "wrong-canary-4b1c8d35",
    "proxy user": "user-canary-a95c0e12",
    "proxy password": "pass-canary-37d4f8b6",
    "query": "query-canary-6c82e5a1",
    "cookie": "cookie-canary-f0d39b74",
    "prompt": "prompt-canary-18e7a2c5",
    "answer": "answer-canary-b3f60d49",
    "raw": "raw-canary-d2581f7e",
}
USERINFO = f"{CANARIES['proxy user']}:{CANARIES['proxy password']}"
BASIC = b64encode(USERINFO.encode()).decode()

KINDS = ("capacity", "rate_limit", "circuit_open", "body_too_large", "not_found", "method_not_allowed")
REASONS = {*KINDS, "upgrade_refused", "bad_request", "upstream_unreachable", "upstream_timeout"}
LIMITS = ("--max-concurrency", "2", "--rate-limit", "30", "--max-body", "1KiB", "--first-byte-timeout", "500ms")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with a_proxy() as proxy:
        yield proxy


def secrets(proxy: Proxy) -> dict[str, str]:
    """An environment with every secret that a bridge can have."""
    return {
        "OPENAI_API_KEY": CANARIES["central OpenAI key"] + "-tail",
        "ANTHROPIC_API_KEY": CANARIES["central Anthropic key"] + "-tail",
        "AIBRIDGE_UPSTREAM_PROXY": proxy.url(f"{USERINFO}@"),
        "HTTPS_PROXY": f"http://{USERINFO}@127.0.0.1:1",
    }


class Caller:
    """Brings credentials of every kind, and remembers what the bridge itself answered."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.heard: list[str] = []
        self.reasons: set[str] = set()

    def ask(self, path: str, method: str = "POST", content: Any = None, **headers: str) -> httpx.Response:
        """Send a request and take down its answer if it is the bridge's own."""
        common = {"cookie": f"session={CANARIES['cookie']}", "x-api-key": CANARIES["x-api-key"] + "-tail"}
        bearer = {"authorization": f"Bearer {CANARIES['bearer']}-tail"}
        common |= {name.replace("_", "-"): value for name, value in (bearer | headers).items()}
        prompt: Any = {**UNARY, "messages": [{"role": "user", "content": CANARIES["prompt"]}]}
        answer = self._client.request(
            method,
            f"{path}?key={CANARIES['query']}",
            headers=common,
            content=json.dumps(prompt) if content is None else content,
        )
        reason = answer.headers.get("x-aibridge-reject")
        if reason or answer.status_code < 300:
            self.heard.append(str(answer.headers))
        if reason:
            self.reasons.add(reason)
            self.heard.append(answer.text)
        return answer


def live_through_everything(bridge: Bridge, provider: Provider, caller: Caller) -> None:
    """Successes, errors, aborts, trips, and every reject there is."""
    answer = {"error": {"message": CANARIES["answer"], "type": "t", "param": None, "code": None}}
    # what goes well, or badly at the provider
    assert caller.ask(CHAT).status_code == 200
    assert caller.ask(MESSAGES, anthropic_version="2023-06-01").status_code in (200, 400)
    assert caller.ask("/copilot/chat/completions").status_code == 200
    provider.script({"status": 401, "body": answer}, {"status": 500, "body": answer})
    assert [caller.ask(CHAT).status_code for _ in range(2)] == [401, 500]
    # what breaks in the middle, or is left there
    provider.script({"fault": "truncate", "after": 2}, {"fault": "stall", "after": 2})
    streamed = json.dumps(STREAMED)
    with suppress(httpx.TransportError):
        caller.ask(CHAT, content=streamed)
    with bridge.holding(f"{CANARIES['bearer']}-tail"):
        pass
    until(lambda: bridge.in_flight() == 0, "the slot back")
    # rejects, each for itself
    caller.ask("/openai/v1/evals", "GET")
    caller.ask(CHAT, "TRACE")
    caller.ask(CHAT, "GET", upgrade="websocket", connection="upgrade")
    caller.ask("/openai/v1/models/%2e%2e", "GET")
    caller.ask(CHAT, authorization=f"Basic {CANARIES['basic']}", x_api_key="")
    caller.ask(CHAT, content=b"x" * 2000)
    caller.ask("/openai/v1/embeddings", content=iter([b"x" * 1000] * 3))  # may arrive late, and half
    provider.script({"fault": "reset", "path": "/chat/completions"}, {"delay": 60, "path": "/chat/completions"})
    assert [caller.ask(CHAT).status_code for _ in range(2)] == [502, 504]
    provider.script({"fault": "stall", "times": 2, "path": "/messages"})
    with bridge.holding("sk-one", MESSAGES), bridge.holding("sk-two", MESSAGES):
        caller.ask(CHAT)
    until(lambda: bridge.in_flight() == 0, "every slot back")
    for _ in range(200):
        if caller.ask("/", "GET", authorization=f"Bearer {CANARIES['refused']}").status_code == 429:
            break
    # an outage
    provider.script({"status": 429, "times": 5, "body": answer})
    for _ in range(6):
        caller.ask(CHAT, authorization=f"Bearer {CANARIES['bearer']}-other")
    # what is no HTTP at all, or not quite
    raw = CANARIES["raw"].encode()
    for noise in (
        b"GET / HTTP/1.1\r\nauthorization: Bearer %s\x00\r\n\r\n" % raw,
        b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: [::1]\r\nx-api-key: %s\r\ncontent-length: x\r\n\r\n"
        % raw,
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"authorization: Bearer %s\r\n" % raw * 2 + b"\r\n",
        b"%s\r\n\r\n" % raw,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s" % raw,
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n%s" % raw,
    ):
        with bridge.stranger() as stranger, suppress(OSError):
            stranger.sendall(noise)
            stranger.settimeout(0.2)
            caller.heard.append(stranger.recv(65536).decode("latin-1"))


def interrogate(bridge: Bridge) -> list[str]:
    """Everything that the operator's side says, to the operator and to who has no token."""
    said = [bridge.admin.get(path).raise_for_status().text for path in ("/metrics", "/status")]
    with bridge.admin.stream("GET", "/status/stream") as stream:
        lines = stream.iter_lines()
        said += [next(lines), next(lines)]
    wrong = {"authorization": f"Bearer {CANARIES['wrong token']}", "cookie": CANARIES["cookie"]}
    for path, headers in (("/status", wrong), ("/nowhere", {}), ("/metrics", {"host": "evil.example"})):
        answer = bridge.admin.get(path, headers=headers)
        assert answer.status_code in (401, 403, 404)
        said += [str(answer.headers), answer.text]
    answer = bridge.admin.post("/breakers/openai", json={"mode": CANARIES["wrong token"]})
    return [*said, answer.text]


def assert_clean(where: str, texts: list[str]) -> None:
    for text in texts:
        for name, canary in {**CANARIES, "proxy header": BASIC}.items():
            assert canary not in text, f"{name} in {where}: {text}"


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_no_secret_is_reported(tmp_path: Path, provider: Provider, proxy: Proxy, log_format: str) -> None:
    """Whatever happens: no credential and no body in the log, the metrics, the status, an answer of the bridge."""
    token = tmp_path / "token"
    token.write_text(CANARIES["admin token"])
    provider.clear()
    proxy.heads.clear()
    flags = (*LIMITS, "--circuit-breaker", "--admin-token-file", str(token), "--log-level", "debug")
    with a_bridge(
        *flags,
        *("--drain-delay", "1m"),
        provider=provider,
        token=CANARIES["admin token"],
        log_format=log_format,
        bugs=True,
        **secrets(proxy),
    ) as bridge:
        caller = Caller(bridge.caller)
        live_through_everything(bridge, provider, caller)
        assert_clean("the operator's side", interrogate(bridge))
        bridge.process.signal()
        until(lambda: bridge.admin.get("/readyz").status_code == 503, "draining")
        caller.ask(CHAT)
        assert_clean("the operator's side", interrogate(bridge))
        bridge.process.signal()
        bridge.process.wait()
    assert caller.reasons == REASONS
    assert_clean("an answer", caller.heard)
    assert_clean("the log", bridge.process.lines)
    # The run was what it was meant to be: the secrets have been in use.
    seen = json.dumps(provider.stats()["last"])
    assert CANARIES["central OpenAI key"] in seen
    assert CANARIES["bearer"] not in seen.replace(f"Bearer {CANARIES['bearer']}-tail", "", 1)  # Copilot's
    assert any(BASIC.encode() in head for head in proxy.heads)


def test_checking_shows_no_secret(tmp_path: Path, proxy: Proxy) -> None:
    """`aibridge check` says where each secret came from, and none of them."""
    token = tmp_path / "token"
    token.write_text(CANARIES["admin token"])
    done = run("check", "--admin-token-file", str(token), **secrets(proxy))
    assert done.returncode == 0
    assert "environment OPENAI_API_KEY" in done.stdout
    assert_clean("check", [done.stdout, done.stderr])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIBRIDGE_UPSTREAM_PROXY", f"socks5://{USERINFO}@proxy:1"),
        ("HTTPS_PROXY", f"http://{USERINFO}/@proxy:1"),
        ("AIBRIDGE_OPENAI_BASE_URL", f"https://{USERINFO}@api.example.com"),
        ("OPENAI_API_KEY", CANARIES["bearer"] + " with a space"),
        ("OPENAI_API_KEY_FILE", CANARIES["bearer"]),
    ],
)
def test_a_mistake_in_a_secret_does_not_show_it(name: str, value: str) -> None:
    """What is said of a secret that does not fit quotes nothing of it."""
    for command in ("serve", "check"):
        done = run(command, **{name: value})
        assert done.returncode == 2, done.stdout
        assert name in done.stderr
        assert_clean("a mistake", [done.stdout, done.stderr])
