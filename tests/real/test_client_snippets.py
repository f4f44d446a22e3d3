"""The snippets of docs/clients.md, as they stand there: real clients, a bridge, and the mock provider."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import re
import runpy
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
import pytest

from tests.support.clients import LOOPBACK_ONLY, PACKAGES, QUIET_CLAUDE, installed, ran
from tests.support.processes import TEXT, Bridge, Provider, a_bridge, until
from tests.support.shells import needed
from tests.test_docs_commands import FENCE

pytestmark = pytest.mark.real

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
HERE = f"run by tests/real/{Path(__file__).name}"
BRIDGE = "http://127.0.0.1:4001"
KEY = "my-key"
CENTRAL: dict[str, Any] = {
    "OPENAI_API_KEY": "sk-central-of-the-bridge",
    "ANTHROPIC_API_KEY": "sk-ant-central-of-the-bridge",
}


class Snippet(NamedTuple):
    """A fenced block: its language, its text, and the comment on the line above it."""

    language: str
    text: str
    marker: str


def sections() -> dict[str, list[Snippet]]:
    """Return the blocks of each section of the page."""
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        found[title] = [
            Snippet(block["language"], block["text"], (block["marker"] or "").strip())
            for block in FENCE.finditer(text)
        ]
    return found


def rows(first: str) -> dict[str, list[str]]:
    """Return the table whose first row begins so: client → cells."""
    table = PAGE[PAGE.index(f"| {first}") :].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return {re.sub(r"\[(.*)\]\(.*\)", r"\1", client): rest for client, *rest in cells}


SECTIONS = sections()
CONNECTED = rows("[Claude Code](#claude-code)")
REJECTED = rows("Claude Code |")
RUN = [client for client, snippets in SECTIONS.items() if any(each.marker == HERE for each in snippets)]
LIBRARIES = [client for client in RUN if any(each.language in {"python", "js"} for each in SECTIONS[client])]


def use(client: str, bridge: Bridge, folder: Path, *, variables: bool = False) -> tuple[int, str, str]:
    """Do what a section says, at this bridge, and return exit status, stdout and stderr.

    With `variables` the program names no base URL: the variables of the client's row do.
    """
    environ = {"CI": "true", **QUIET_CLAUDE, "PATH": f"{PACKAGES / '.bin'}:{os.environ['PATH']}"}
    if client in LIBRARIES:
        environ |= {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    if variables:
        endings = re.findall(r"`…(\S+)`", CONNECTED[client][0])
        names = re.findall(r"`(\w+_BASE_URL)`", CONNECTED[client][1])
        environ |= {name: bridge.url + ending for name, ending in zip(names, endings, strict=True)}
    texts = {each.language: each.text.replace(BRIDGE, bridge.url) for each in SECTIONS[client]}
    file = folder / ("program.py" if "python" in texts else "program.mjs")
    if program := texts.get("python") or texts.get("js"):
        option = r'base_?url[=:] ?"[^"]*"' if variables else r"$^"
        file.write_text(re.sub(option, "", program, flags=re.IGNORECASE))
    if "python" in texts:
        return in_this_process(file, environ)
    if "js" in texts:
        (folder / "node_modules").symlink_to(PACKAGES)
        done = ran([needed("node"), file.name], folder, **environ)
    else:
        if "toml" in texts:
            (folder / ".codex").mkdir()
            (folder / ".codex" / "config.toml").write_text(texts["toml"])
            ran([needed("git"), "init", "-q"], folder)
        done = ran([needed("bash"), "-euc", texts["sh"]], folder, **environ)
    return done.returncode, done.stdout, done.stderr


def in_this_process(program: Path, environ: dict[str, str]) -> tuple[int, str, str]:
    """Run a Python program where the SDKs are imported already, which takes them seconds."""
    printed, complaint = io.StringIO(), ""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(),
    ):
        for name, value in (LOOPBACK_ONLY | environ).items():
            patch.setenv(name, value)
        # A snippet leaves it to the end of its process to close connections.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            runpy.run_path(str(program))
        except (openai.OpenAIError, anthropic.AnthropicError) as error:
            complaint = f"{type(error).__name__}: {error}"
        gc.collect()
    return int(bool(complaint)), printed.getvalue(), complaint


@pytest.fixture(autouse=True)
def packages(request: pytest.FixtureRequest) -> None:
    """Skip the clients that are not installed; in CI their absence fails."""
    chosen = request.node.callspec.params.get("client", "") if hasattr(request.node, "callspec") else ""
    if chosen.endswith("JavaScript") or chosen == "AI SDK":
        needed("node")
        if not (PACKAGES / {"AI SDK": "ai"}.get(chosen, "openai")).exists():
            installed("packages of tests/real_clients/package.json")
    elif chosen in {"Claude Code", "Codex"}:
        installed(chosen.split()[0].lower())


# The page.


def test_every_snippet_is_run_or_was_tried() -> None:
    """A block that no test runs says why, and when and with which version it was tried by hand."""
    for client in CONNECTED:
        if client in SECTIONS:
            assert SECTIONS[client], client
    for client, snippets in SECTIONS.items():
        for snippet in snippets:
            tried = re.search(r"^not run: .{20,}; tried by hand on \d+ \w+ \d{4} with .*\d\.\d", snippet.marker)
            assert snippet.marker == HERE or tried, (client, snippet.marker)


def test_the_tables_and_the_sections_agree() -> None:
    """Each client has a section, which uses the base URLs of its row, and a row on rejects."""
    explained = {"The key", "If it does not connect", "What clients do when the bridge rejects"}
    assert set(CONNECTED) - set(SECTIONS) == {"any client of GitHub Copilot's API"}
    assert set(SECTIONS) - set(CONNECTED) == explained
    for client in set(SECTIONS) - explained:
        used = {url for each in SECTIONS[client] for url in re.findall(rf'{BRIDGE}([^\s"]*)', each.text)}
        assert used == set(re.findall(r"`…(\S+)`", CONNECTED[client][0])), client
    assert {re.sub(r", (OpenAI|Anthropic|`\w+/`)$", "", client) for client in REJECTED} == {
        *set(SECTIONS) - explained
    }


# Its snippets.


@pytest.mark.parametrize("client", RUN)
def test_a_snippet_works_with_the_callers_key(
    client: str, bridge: Bridge, provider: Provider, tmp_path: Path
) -> None:
    """It prints the provider's answer: programs in one piece and then as a stream, for each provider they name."""
    status, printed, complaints = use(client, bridge, tmp_path)
    answers = 2 * len(CONNECTED[client][0].split(", ")) if client in LIBRARIES else 1
    assert (status, printed.count(TEXT)) == (0, answers), complaints
    assert set(provider.credentials().values()) <= {KEY, f"Bearer {KEY}"}


@pytest.mark.parametrize("client", RUN)
def test_a_snippet_works_with_a_central_key_and_after_a_reject(
    client: str, provider: Provider, tmp_path: Path
) -> None:
    """The provider gets the bridge's key, and a 429 that names a wait is waited for and retried."""
    provider.script({"status": 429, "headers": {"retry-after": "1"}})
    with a_bridge(provider=provider, **CENTRAL) as bridge:
        status, printed, complaints = use(client, bridge, tmp_path)
        statuses = {line["status"] for line in bridge.requests(2)}
    assert status == 0, complaints
    assert TEXT in printed
    assert statuses == {429, 200}
    assert {value.removeprefix("Bearer ") for value in provider.credentials().values()} <= {*CENTRAL.values()}


@pytest.mark.parametrize("client", LIBRARIES)
def test_the_variables_do_what_the_option_does(
    client: str, bridge: Bridge, provider: Provider, tmp_path: Path
) -> None:
    """Without a base URL in the program, the variables of its row lead to the bridge."""
    status, printed, complaints = use(client, bridge, tmp_path, variables=True)
    assert (status, printed.count(TEXT)) == (0, 2 * len(CONNECTED[client][0].split(", "))), complaints
    assert provider.stats()["requests"] == printed.count(TEXT)


def test_claude_codes_settings(bridge: Bridge, provider: Provider, tmp_path: Path) -> None:
    """The file of settings alone is enough."""
    [settings] = [each.text for each in SECTIONS["Claude Code"] if each.language == "json"]
    claude = installed("claude")
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text(settings.replace(BRIDGE, bridge.url))
    done = ran([claude, "-p", "hello"], tmp_path, **QUIET_CLAUDE)
    assert done.stdout.strip() == TEXT, done.stderr
    assert provider.credentials() == {"authorization": f"Bearer {KEY}"}


# What it says of rejects.


@pytest.mark.parametrize("client", LIBRARIES)
def test_the_table_of_rejects_counts_right(client: str, provider: Provider, tmp_path: Path) -> None:
    """A program sends one request and as many retries as its row says, and raises an error that the row names."""
    _, retries, _, _, shown = REJECTED[client]
    provider.script({"status": 503, "headers": {"retry-after-ms": "1"}, "times": 50})
    with a_bridge(provider=provider) as bridge:
        status, _, complaints = use(client, bridge, tmp_path)
    assert status == 1
    assert any(name in complaints for name in re.findall(r"`(\w+)`", shown)), complaints
    assert provider.stats()["requests"] == int(retries) + 1


@pytest.mark.parametrize("client", LIBRARIES)
def test_the_table_of_rejects_says_whether_a_client_stops(client: str, provider: Provider, tmp_path: Path) -> None:
    """Where the operator has opened the breaker, a client that stops sends one request, and shows the message."""
    _, retries, _, stops, _ = REJECTED[client]
    with a_bridge("--circuit-breaker", provider=provider) as bridge:
        for name in ("openai", "anthropic"):
            bridge.admin.post(f"/breakers/{name}", json={"mode": "open"}).raise_for_status()
        _, _, complaints = use(client, bridge, tmp_path)
        expected = 1 if stops == "yes" else int(retries) + 1
        assert [line["reject"] for line in bridge.requests(expected)] == ["circuit_open"] * expected
    assert "was taken out of service by its operator" in complaints


def test_claude_code_hides_a_wrong_base_url(bridge: Bridge, tmp_path: Path) -> None:
    """The page quotes what it says when the base URL ends in /v1."""
    url = f"{bridge.url}/anthropic/v1"
    done = ran(
        [installed("claude"), "-p", "hello"],
        tmp_path,
        **QUIET_CLAUDE,
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_API_KEY=KEY,
    )
    assert "an issue with the selected model" in " ".join(PAGE.split())
    assert "an issue with the selected model" in done.stdout + done.stderr
    until(lambda: any(line["reject"] == "not_found" for line in bridge.requests()), "a 404 in the log")


def test_packages_are_pinned_to_what_the_page_names() -> None:
    """Where the page names the release that the tests run, it is that one."""
    pinned = json.loads((Path(__file__).parents[1] / "real_clients" / "package.json").read_text())["dependencies"]
    for client, package in {
        "Claude Code": "@anthropic-ai/claude-code",
        "Codex": "@openai/codex",
        "Anthropic SDK, JavaScript": "@anthropic-ai/sdk",
        "AI SDK": "ai",
    }.items():
        assert REJECTED[client][0] == pinned[package]
