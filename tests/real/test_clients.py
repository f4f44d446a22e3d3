"""Codex, Claude Code and the Node SDKs, as npm has them, through the bridge. They reach nothing but loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import PACKAGES, QUIET_CLAUDE, installed, ran
from tests.support.processes import MESSAGES, PATIENCE, TEXT, Bridge, Provider, a_bridge, until
from tests.support.shells import needed

pytestmark = pytest.mark.real

OPENAI = """
const {OpenAI} = require("openai");
const client = new OpenAI();
const ask = {model: "m", messages: [{role: "user", content: "hello"}]};
const whole = await client.chat.completions.create(ask);
console.log(whole.choices[0].message.content);
let text = "";
for await (const piece of await client.chat.completions.create({...ask, stream: true}))
  text += piece.choices[0]?.delta.content ?? "";
console.log(text);
"""
ANTHROPIC = """
const {Anthropic} = require("@anthropic-ai/sdk");
const client = new Anthropic();
const ask = {model: "m", max_tokens: 99, messages: [{role: "user", content: "hello"}]};
console.log((await client.messages.create(ask)).content[0].text);
console.log((await client.messages.stream(ask).finalMessage()).content[0].text);
"""


def in_node(program: str, bridge: Bridge, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that uses the SDKs, both pointed at the bridge."""
    installed("anthropic-ai-sdk")
    caught = f"(async () => {{{program}}})().catch(error => console.log(error.status, error.message))"
    return ran(
        [needed("node"), "-e", caught],
        folder,
        NODE_PATH=str(PACKAGES),
        OPENAI_BASE_URL=f"{bridge.url}/openai/v1",
        OPENAI_API_KEY="sk-node",
        ANTHROPIC_BASE_URL=f"{bridge.url}/anthropic",
        ANTHROPIC_API_KEY="sk-ant-node",
    )


def codex(bridge: Bridge, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let Codex answer once, with its built-in provider."""
    options = (f'openai_base_url="{bridge.url}/openai/v1"', "analytics.enabled=false")
    flags = [flag for option in (*options, "check_for_update_on_startup=false") for flag in ("-c", option)]
    command = [installed("codex"), "exec", "--skip-git-repo-check", *flags, "hello"]
    return ran(command, folder, CODEX_HOME=str(folder), CODEX_API_KEY="sk-codex")


def claude(bridge: Bridge, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let Claude Code answer once."""
    return ran(
        [installed("claude"), "-p", "hello"],
        folder,
        **QUIET_CLAUDE,
        ANTHROPIC_API_KEY="sk-ant-claude-code",
        ANTHROPIC_BASE_URL=f"{bridge.url}/anthropic",
        CLAUDE_CONFIG_DIR=str(folder),
    )


def answered(bridge: Bridge, least: int) -> list[tuple[str, Any]]:
    """Return method and status of the requests in the log, once there are at least so many."""
    return [(line["method"], line["status"]) for line in bridge.requests(least)]


@pytest.fixture
def unshared(provider: Provider) -> Iterator[Bridge]:
    """A bridge for one test, whose breakers can be forced."""
    with a_bridge("--circuit-breaker", provider=provider) as bridge:
        yield bridge


def test_codex_falls_back_at_once(unshared: Bridge, provider: Provider, tmp_path: Path) -> None:
    """One try of a WebSocket, answered 426; then plain HTTP, without a word of it to the user."""
    done = codex(unshared, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, TEXT), done.stderr
    assert "Reconnecting" not in done.stderr
    assert answered(unshared, 2) == [("GET", 426), ("POST", 200)]
    assert provider.credentials() == {"authorization": "Bearer sk-codex"}


def test_codexs_refused_try_costs_no_rate(provider: Provider, tmp_path: Path) -> None:
    """One request a second is enough for an answer: the upgrade that was refused is not counted."""
    with a_bridge("--rate-limit", "1", provider=provider) as bridge:
        done = codex(bridge, tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, TEXT), done.stderr
        assert answered(bridge, 2) == [("GET", 426), ("POST", 200)]


def test_claude_code(unshared: Bridge, provider: Provider, tmp_path: Path) -> None:
    """It has its answer."""
    done = claude(unshared, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, TEXT), done.stderr
    until(lambda: ("POST", 200) in answered(unshared, 0), "its answer in the log")
    assert provider.credentials() == {"x-api-key": "sk-ant-claude-code"}


@pytest.mark.parametrize("status", [503, 529])
def test_claude_code_sees_nothing_of_an_outage(provider: Provider, tmp_path: Path, status: int) -> None:
    """With --adaptive it has its answer after four seconds of errors, and has seen none of them."""
    with a_bridge("--adaptive", provider=provider) as bridge:
        with provider.outage(status, 4.0):
            done = claude(bridge, tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, TEXT), done.stderr
        until(lambda: ("POST", 200) in answered(bridge, 0), "its answer in the log")
        posted = [line for line in bridge.requests() if line["method"] == "POST"]
    assert {line["status"] for line in posted} == {200}
    assert any(line["sent_again"] for line in posted)
    assert provider.stats()["by_status"][str(status)] >= 1


def test_claude_code_waits_for_the_only_slot(provider: Provider, tmp_path: Path) -> None:
    """With --adaptive it has its answer once another caller's stream is over, and has seen no error."""
    provider.change(slots=1, tokens_per_second=0.1)
    try:
        with a_bridge("--adaptive", provider=provider) as bridge, ThreadPoolExecutor(1) as pool:
            with bridge.holding("sk-other", MESSAGES):
                asked = pool.submit(claude, bridge, tmp_path)
                until(lambda: provider.stats()["by_status"].get("529"), "its first try", 6 * PATIENCE)
                provider.change(tokens_per_second=0)
            done = asked.result()
            assert (done.returncode, done.stdout.strip()) == (0, TEXT), done.stderr
            posted = [line for line in bridge.requests(2) if line["method"] == "POST" and not line["left"]]
        assert {line["status"] for line in posted} == {200}
        assert any(line["sent_again"] for line in posted)
    finally:
        provider.change(slots=0, tokens_per_second=0)


def test_claude_code_learns_that_waiting_is_no_use(unshared: Bridge, provider: Provider, tmp_path: Path) -> None:
    """A breaker forced open stays so: it asks once and shows our message, where it would go on for minutes."""
    unshared.admin.post("/breakers/anthropic", json={"mode": "open"}).raise_for_status()
    done = claude(unshared, tmp_path)
    assert "anthropic was taken out of service by its operator" in done.stdout + done.stderr
    until(lambda: ("POST", 503) in answered(unshared, 0), "its answer in the log")
    assert answered(unshared, 0).count(("POST", 503)) == 1
    assert provider.stats()["requests"] == 0


@pytest.mark.parametrize("program", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def test_nodes_fetch_is_no_page(program: str, unshared: Bridge, provider: Provider, tmp_path: Path) -> None:
    """It sends one of a browser's headers, and is served: an answer in one piece and a stream."""
    done = in_node(program, unshared, tmp_path)
    assert done.stdout.splitlines() == [TEXT, TEXT], done.stderr
    for seen in provider.stats()["last"]:
        assert ["sec-fetch-mode", "cors"] in seen["headers"]


@pytest.mark.parametrize(("program", "name"), [(OPENAI, "openai"), (ANTHROPIC, "anthropic")])
def test_node_sdks_ask_no_more_than_once(program: str, name: str, unshared: Bridge, tmp_path: Path) -> None:
    """Where the operator has taken a provider out of service they raise at once, with our message."""
    unshared.admin.post(f"/breakers/{name}", json={"mode": "open"}).raise_for_status()
    done = in_node(program, unshared, tmp_path)
    assert done.stdout.startswith("503 ")
    assert f"{name} was taken out of service by its operator" in done.stdout
    assert answered(unshared, 1) == [("POST", 503)]
