"""Commands in the documents that need a running bridge or mock are typed as they stand, and succeed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.processes import CHAT, PATIENCE, a_bridge, a_provider, environment, until
from tests.support.shells import needed
from tests.test_docs_commands import SHELL_BLOCKS, Block, name

pytestmark = pytest.mark.real

# Blocks of these pages name this file: docs/mock.md, docs/operate/keys.md, docs/operate/logs.md,
# docs/operate/runbook.md.
TYPED = [block for block in SHELL_BLOCKS if block.marker == f"run by tests/real/{Path(__file__).name}"]
TOKEN = "a-token-of-the-documents"


def typed(text: str, where: Path, **environ: str) -> str:
    """Type lines into bash, which stops at the first that fails, and return what they print."""
    program = where / "aibridge"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aibridge_trio "$@"\n')
    program.chmod(0o755)
    quiet = re.sub(r"\bcurl\b", "curl -sS --fail --max-time 5", text)
    variables = environment(**environ)
    variables["PATH"] = f"{where}:{variables['PATH']}"
    done = subprocess.run(
        [needed("bash"), "-euo", "pipefail", "-c", quiet],
        cwd=where,
        env=variables,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("block", TYPED, ids=map(name, TYPED))
def test_a_documented_block_can_be_typed(block: Block, tmp_path: Path) -> None:
    """Every line ends with status 0, with the ports of the example replaced by free ones."""
    for program in {"curl", "jq"} & set(re.findall(r"^\w+", block.text, re.MULTILINE)):
        needed(program)
    (tmp_path / "token").write_text(TOKEN)
    guarded = ("--admin-token-file", str(tmp_path / "token")) if "$(cat token)" in block.text else ()
    with a_provider() as provider, a_bridge(*guarded, "--circuit-breaker", provider=provider) as bridge:
        for path in (CHAT, "/nothing"):  # the log has a request that was served and one that was rejected
            bridge.caller.post(path, json={"model": "m", "messages": []})
        order = f"{bridge.admin_url}/breakers/openai"  # and an override that was ordered
        authorization = {"authorization": f"Bearer {TOKEN}"} if guarded else {}
        httpx.post(order, json={"mode": "auto"}, headers=authorization).raise_for_status()
        until(lambda: len([line for line in bridge.process.lines if '"request"' in line]) > 1, "two lines")
        until(lambda: any('"audit"' in line for line in bridge.process.lines), "the line of the override")
        (tmp_path / "log.jsonl").write_text("\n".join(bridge.process.lines) + "\n")
        text = block.text.replace("http://127.0.0.1:4002", bridge.admin_url)
        text = text.replace("http://127.0.0.1:4010", provider.url)
        printed = typed(text, tmp_path, M=provider.url, AIBRIDGE_ADMIN_URL=bridge.admin_url)
        assert printed


def test_the_page_of_logs_finds_a_reject(tmp_path: Path) -> None:
    """The first query of docs/operate/logs.md prints time, reason and caller of each reject."""
    needed("jq")
    [query] = [
        line for block in TYPED if block.page.name == "logs.md" for line in block.lines if ".reject" in line
    ]
    with a_bridge("--rate-limit", "1") as bridge:
        statuses = [
            bridge.caller.get("/", headers={"authorization": "Bearer sk-12345678901234abcd"}) for _ in "ab"
        ]
        assert [each.status_code for each in statuses] == [httpx.codes.OK, httpx.codes.TOO_MANY_REQUESTS]
        bridge.requests(least=2)
        (tmp_path / "log.jsonl").write_text("\n".join(bridge.process.lines) + "\n")
    assert re.fullmatch(r'\["\S+Z","rate_limit","…?abcd"\]\n', typed(query, tmp_path))
