"""Several keys, with real programs: one has an outage, one is revoked, one is replaced, and none is shown."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.support.local_server import serving
from tests.support.processes import ASK, CHAT, Bridge, a_bridge, until

pytestmark = pytest.mark.real

KEYS = {name: f"sk-canary-{name}-4f1d9a7c" for name in ("first", "second", "third")}
FORTY_REQUESTS = 40
UNARY: Any = {"model": "m", "messages": ASK}
RATE = 429, {"error": {"code": "rate_limit_exceeded"}}
REVOKED = 401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided"}}
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


class Provider(ThreadingHTTPServer):
    """Answers each key as tests say, and quotes it in its errors; counts the keys that it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.said: dict[str, tuple[int, Any]] = {}
        self.got: Counter[str] = Counter()
        self.bodies: set[bytes] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        provider: Any = self.server
        key = (self.headers["authorization"] or "").removeprefix("Bearer ")
        provider.got[key] += 1
        provider.bodies.add(self.rfile.read(int(self.headers["content-length"])))
        status, document = provider.said.get(key, (200, ANSWER))
        body = json.dumps(document if status == 200 else {**document, "quoted": key}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if status == 429:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(tmp_path: Path) -> Iterator[tuple[Provider, Bridge]]:
    """Run a bridge with three keys in files, in front of a provider."""
    for name, key in KEYS.items():
        (tmp_path / name).write_text(key + "\n")
    with serving(Provider()) as provider:
        files = ", ".join(f'{{ file = "{tmp_path / name}" }}' for name in KEYS)
        config = tmp_path / "aibridge.toml"
        config.write_text(
            "circuit_breaker = true\ncircuit_breaker_failure_threshold = 2\n"
            f'[providers.openai]\nbase_url = "{provider.url}"\nkeys = [{files}]\n'
        )
        with a_bridge("--config", str(config)) as bridge:
            yield provider, bridge


def states(bridge: Bridge) -> dict[str, str]:
    return {key["label"]: key["state"] for key in bridge.status()["providers"][0]["keys"]}


def test_through_an_outage_of_one_key(tmp_path: Path) -> None:
    """SDKs without retries notice nothing, from many threads at once; the key has its part again afterwards."""
    with served(tmp_path) as (provider, bridge):

        def ask(client: openai.OpenAI, texts: list[str | None]) -> None:
            for _ in range(10):
                answer = client.chat.completions.create(**UNARY)
                texts.append(answer.choices[0].message.content)

        def burst(client: openai.OpenAI) -> list[str | None]:
            texts: list[str | None] = []
            threads = [threading.Thread(target=ask, args=(client, texts)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return texts

        with bridge.gpt() as client:
            provider.said[KEYS["first"]] = RATE
            assert burst(client) == ["hi"] * FORTY_REQUESTS
            assert bridge.breaker()["state"] == "closed"
            assert bridge.breaker()["verdicts"]["failure"] == 0
            provider.said.clear()
            until(lambda: states(bridge)["first"] == "ready", "the end of the rest")
            provider.got.clear()
            assert burst(client) == ["hi"] * FORTY_REQUESTS
            assert min(provider.got[key] for key in KEYS.values()) >= FORTY_REQUESTS // 4
        assert len(provider.bodies) == 1


def test_a_revoked_key_is_out_until_its_file_has_another(tmp_path: Path) -> None:
    """The log says it once, as an error and by its label; a new key in the file is used without a restart."""
    with served(tmp_path) as (provider, bridge):
        provider.said[KEYS["second"]] = REVOKED
        for _ in range(6):
            assert bridge.caller.post(CHAT, json=UNARY).status_code == 200
        assert provider.got[KEYS["second"]] == 1
        assert states(bridge) == {"first": "ready", "second": "out", "third": "ready"}
        assert bridge.metric("aibridge_keys", provider="openai", state="out") == 1
        [line] = [line for line in bridge.process.lines if '"state": "out"' in line]
        assert json.loads(line)["level"] == "error"
        assert json.loads(line)["key"] == "second"
        fresh = tmp_path / "fresh"
        fresh.write_text("sk-canary-fresh-4f1d9a7c")
        fresh.replace(tmp_path / "second")
        until(lambda: states(bridge)["second"] == "ready", "the new key")
        for _ in range(3):
            assert bridge.caller.post(CHAT, json=UNARY).status_code == 200
        assert provider.got["sk-canary-fresh-4f1d9a7c"] == 1


def test_no_key_is_shown_anywhere(tmp_path: Path) -> None:
    """Whatever becomes of them: in answers, logs, /status and metrics there are labels only."""
    with served(tmp_path) as (provider, bridge):
        shown: list[str] = []
        for said in (RATE, REVOKED, (403, {"error": {"code": "invalid_api_key"}}), (500, {})):
            provider.said = dict.fromkeys(KEYS.values(), said)
            for _ in range(4):
                answer: httpx.Response = bridge.caller.post(CHAT, json=UNARY)
                shown += [answer.text, str(answer.headers)]
        shown += [json.dumps(bridge.status()), bridge.admin.get("/metrics").text, bridge.process.stderr]
        text = "\n".join(shown)
        assert "canary" not in text
        assert "quoted" in text, "what the provider quoted did pass"
        assert all(f'"key": "{name}"' in text for name in KEYS)


def test_other_keys_by_a_reload(tmp_path: Path) -> None:
    """SIGHUP takes the keys of the configuration; one that stays is tried again if it was out."""
    with served(tmp_path) as (provider, bridge):
        provider.said[KEYS["first"]] = REVOKED
        for _ in range(3):
            assert bridge.caller.post(CHAT, json=UNARY).status_code == 200
        assert states(bridge)["first"] == "out"
        config = tmp_path / "aibridge.toml"
        config.write_text(config.read_text().replace(f', {{ file = "{tmp_path / "third"}" }}', ""))
        bridge.process.signal(signal.SIGHUP)
        until(lambda: states(bridge) == {"first": "ready", "second": "ready"}, "the other keys")
        provider.said.clear()
        provider.got.clear()
        for _ in range(4):
            assert bridge.caller.post(CHAT, json=UNARY).status_code == 200
        assert provider.got == {KEYS["first"]: 2, KEYS["second"]: 2}
