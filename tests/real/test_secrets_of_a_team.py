"""Canary secrets of a team: tokens, pools of keys, own keys. They are searched for in all that is written."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from aibridge_trio.config.caller_tokens import new_token, token_hash
from tests.support.local_server import serving
from tests.support.processes import ASK, PATIENCE, Process, run, until
from tests.support.service_manager import Service, started

pytestmark = pytest.mark.real

TOKENS = {name: new_token() for name in ("dev", "limited", "spent", "gone", "revoked", "stranger")}
FREE = "free-form-canary-token-5c1f0b7d"
KEYS = {
    name: f"sk-canary-{name}-9b3d7e15"
    for name in ("good", "limited", "revoked", "env", "fresh", "claude", "claude-env", "own")
}
ADMIN = "admin-canary-2f8a61c4"
ANSWER = {
    "id": "c",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "hi"}],
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"input_tokens": 5, "output_tokens": 5, "prompt_tokens": 5, "completion_tokens": 5},
}
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\n'
BROKEN = b'data: {"error": {"message": "the key %b is overloaded", "code": "server_error"}}\n\n'
CONFIG = """\
circuit_breaker = true
circuit_breaker_failure_threshold = 3
callers_file = "{folder}/callers.toml"
state_file = "{folder}/state.json"
admin_token_file = "{folder}/admin"
log_level = "debug"
[providers.openai]
enabled = false
[providers.anthropic]
enabled = false
[providers.copilot]
enabled = false
[providers.east]
dialect = "openai"
base_url = "{url}/v1"
keys = [
  {{ file = "{folder}/revoked" }}, {{ file = "{folder}/limited" }},
  {{ file = "{folder}/good" }}, {{ env = "EAST_KEY" }},
]
headers = {{ x-team = "header-canary-71be0c95" }}
[providers.west]
dialect = "anthropic"
base_url = "{url}"
keys = [{{ file = "{folder}/claude" }}, {{ env = "WEST_KEY" }}]
[providers.open]
dialect = "openai"
base_url = "{url}/v1"
[[routes]]
model = "m*"
providers = ["east", "open"]
"""
CALLERS = f"""\
[classes.people]
rate_limit = 200
[[callers]]
name = "dev"
class = "people"
token_sha256 = ["{token_hash(TOKENS["dev"].encode())}", "{token_hash(FREE.encode())}"]
[[callers]]
name = "limited"
models = ["other-*"]
token_sha256 = "{token_hash(TOKENS["limited"].encode())}"
[[callers]]
name = "spent"
budget = {{ tokens = 1, per = "month" }}
token_sha256 = "{token_hash(TOKENS["spent"].encode())}"
[[callers]]
name = "gone"
expires = 2020-02-29
token_sha256 = "{token_hash(TOKENS["gone"].encode())}"
[[callers]]
name = "revoked"
token_sha256 = "{token_hash(TOKENS["revoked"].encode())}"
"""


class Provider(ThreadingHTTPServer):
    """Quotes the key that it gets in each error and header, as careless providers do; remembers all it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.everything: list[str] = []
        self.outage = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        provider: Any = self.server
        provider.everything.append(f"{self.requestline}\n{self.headers}")
        key = (self.headers["authorization"] or self.headers["x-api-key"] or "").removeprefix("Bearer ")
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        quoted = "yours" if key == KEYS["own"] else key  # who sent it may see it
        status = 500 if provider.outage else {KEYS["revoked"]: 401, KEYS["limited"]: 429}.get(key, 200)
        self.send_response(status)
        self.send_header("x-your-key", quoted)
        if status == 429:
            self.send_header("retry-after", "1")
        streamed = asked.get("stream") and status == 200
        error = {"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {quoted}"}}
        content = json.dumps(ANSWER if status == 200 else error).encode()
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
        self.send_header(
            "connection" if streamed else "content-length", "close" if streamed else str(len(content))
        )
        self.end_headers()
        self.wfile.write(CHUNK if streamed else content)
        if streamed:
            self.close_connection = True
            self.wfile.flush()
            if asked["model"] == "m-broken":
                self.wfile.write(BROKEN % key.encode())
            elif asked["model"] == "m-stalls":
                time.sleep(1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[Service, Provider, str, str]]:
    """Run the team's bridge as a service; yield where callers and the operator find it, too."""
    for name, key in KEYS.items():
        (folder / name).write_text(key + "\n")
    (folder / "admin").write_text(ADMIN)
    (folder / "callers.toml").write_text(CALLERS)
    with serving(Provider()) as provider:
        (folder / "aibridge.toml").write_text(CONFIG.format(folder=folder, url=provider.url))
        environ: Any = {"EAST_KEY": KEYS["env"], "WEST_KEY": KEYS["claude-env"]}
        with started(folder, "--config", str(folder / "aibridge.toml"), **environ) as service:
            found = service.process.says(r"(?=listens on (\S+?)(?: and \S+)*, admin on (\S+);)")
            yield service, provider, found[1], found[2]


PATHS = ("/east/v1/chat/completions", "/west/v1/messages", "/open/v1/chat/completions", "/v1/chat/completions")


def ask_everything(url: str) -> list[str]:
    """Bring each token in each place, with and without own keys, to every instance; return what is answered."""
    heard = []
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as client:
        for token in (*TOKENS.values(), FREE):
            for headers in (
                {"authorization": f"Bearer {token}"},
                {"x-api-key": token},
                {"x-aibridge-token": token, "authorization": f"Bearer {KEYS['own']}"},
            ):
                for path in PATHS:
                    answer = client.post(
                        path, json={"model": "m", "messages": ASK, "max_tokens": 9}, headers=headers
                    )
                    heard += [str(answer.headers), answer.text]
        headers = {"authorization": f"Bearer {TOKENS['dev']}"}
        careless = {
            "user-agent": TOKENS["dev"],
            "cookie": TOKENS["revoked"],
            "x-request-id": TOKENS["dev"],
            "authorization": f"Basic {TOKENS['dev']}",
            "x-aibridge-token": TOKENS["dev"],
        }
        for more, path in (
            (careless, PATHS[3]),
            (headers, f"{PATHS[3]}?key={TOKENS['dev']}"),
            (headers, f"/{FREE[:4]}"),
        ):
            answer = client.post(path, json={"model": "m", "messages": ASK}, headers=more)
            heard += [str(answer.headers), answer.text]
        for model in ("m", "m-broken", "m-stalls"):
            ask = {"model": model, "messages": ASK, "stream": True}
            with (
                suppress(httpx.TransportError),
                client.stream("POST", PATHS[0], json=ask, headers=headers) as answer,
            ):
                heard.append(str(answer.headers))
                for piece in answer.iter_text():
                    heard.append(piece)
                    if model == "m-stalls":
                        break
        odd = (f"POST {PATHS[0]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKENS['dev']}\x00\r\n\r\n",)
        for noise in odd:
            host, port = url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), PATIENCE) as stranger:
                stranger.sendall(noise.encode())
                heard.append(stranger.recv(65536).decode("latin-1"))
    return heard


def ask_the_operators_side(admin: str, folder: Path) -> dict[str, str]:
    """Return what each command and page says."""
    said: dict[str, str] = {}
    headers = {"authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=admin, headers=headers, trust_env=False, timeout=PATIENCE) as client:
        for path in ("/status", "/metrics"):
            said[path] = client.get(path).raise_for_status().text
        with client.stream("GET", "/status/stream") as stream:
            lines = stream.iter_lines()
            said["/status/stream"] = next(lines) + next(lines)
    config = ("--config", str(folder / "aibridge.toml"))
    east = {"EAST_KEY": KEYS["env"], "WEST_KEY": KEYS["claude-env"], "AIBRIDGE_ADMIN_TOKEN": ADMIN}
    for command in (
        ("check", *config),
        ("check", "--json", *config),
        ("check", "--diff", *config),
        ("token", "list", *config),
        ("token", "list", "--json", *config),
        ("reload", "--url", admin),
        ("top", "--url", admin, "--once"),
        ("top", "--url", admin, "--once", "--json"),
    ):
        done = run(*command, **east)
        said[" ".join(command)] = done.stdout + done.stderr
        assert done.returncode == 0, said
    return said


def canaries() -> dict[str, str]:
    """Return everything that must be found nowhere: whole secrets, and parts that are secret enough."""
    found = {f"key {name}": key for name, key in KEYS.items()}
    for name, token in TOKENS.items():
        found |= {
            f"begin of {name}": token[4:14],
            f"end of {name}": token[-8:],
            f"hint of {name}": f"…{token[-4:]}",
        }
    return found | {"any key": "9b3d7e15", "free token": FREE, "admin": ADMIN, "header": "header-canary-71be0c95"}


def assert_clean(where: str, text: str, *but: str) -> None:
    for name, canary in canaries().items():
        assert name in but or canary not in text, (
            f"{name} in {where}: {text[max(0, text.find(canary) - 300) :][:600]}"
        )


def logged(process: Process, event: str) -> list[Any]:
    lines = [json.loads(line) for line in tuple(process.lines) if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_no_secret_of_a_team_is_written_anywhere(tmp_path: Path) -> None:
    """Two instances, keys that are revoked and limited, reloads good and bad, an outage, a drain, the state."""
    with served(tmp_path) as (service, provider, url, admin):
        seen = {"an answer": "".join(ask_everything(url))}
        seen |= ask_the_operators_side(admin, tmp_path)
        # Another key, one caller fewer; then files with a mistake that is a secret.
        (tmp_path / "good").write_text(KEYS["fresh"])
        assert run("token", "revoke", "revoked", "--callers-file", str(tmp_path / "callers.toml")).returncode == 0
        reloaded = run("reload", "--url", admin, AIBRIDGE_ADMIN_TOKEN=ADMIN)
        assert reloaded.returncode == 0, reloaded.stderr
        assert "revoked" in reloaded.stdout
        seen["a reload"] = reloaded.stdout + reloaded.stderr
        whole = (tmp_path / "callers.toml").read_text()
        (tmp_path / "callers.toml").write_text(
            f'{whole}[[callers]]\nname = "x"\ntoken_sha256 = "{TOKENS["dev"]}"\n'
        )
        refused = run("reload", "--url", admin, AIBRIDGE_ADMIN_TOKEN=ADMIN)
        assert refused.returncode != 0
        seen["a bad reload"] = refused.stdout + refused.stderr
        (tmp_path / "callers.toml").write_text(whole)
        seen["an answer after a reload"] = "".join(ask_everything(url))
        provider.outage = True
        seen["an answer in an outage"] = "".join(ask_everything(url))
        seen |= {f"{name} in an outage": text for name, text in ask_the_operators_side(admin, tmp_path).items()}
        until(
            lambda: {"dev", "limited"} <= {line["caller"] for line in logged(service.process, "request")}, "names"
        )
        service.process.signal(signal.SIGTERM)
        service.process.wait()
    seen["the log"] = service.process.stderr
    seen["what the manager was told"] = repr(service.told)
    seen["the state"] = (tmp_path / "state.json").read_text()
    for where, text in seen.items():
        assert_clean(where, text)
    # What went up has keys, each to its instance, and no token.
    up = "\n".join(provider.everything)
    assert not [name for name, token in TOKENS.items() if token in up]
    assert FREE not in up
    for name in ("good", "limited", "revoked", "env", "fresh", "claude", "claude-env", "own"):
        assert KEYS[name] in up, f"{name} was not used"
    assert re.search(r'"state": "out"', seen["the log"])
    assert "Incorrect API key provided: ****" in seen["an answer in an outage"]
