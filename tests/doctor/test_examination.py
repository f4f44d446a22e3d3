"""The whole examination, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.cli import main as cli
from aibridge_trio.config.loader import load
from aibridge_trio.doctor.examination import examine
from aibridge_trio.mock import MockOptions
from tests.doctor.test_provider_calls import DATE, NOW, Quiet, Silent
from tests.support import mock_provider
from tests.support.local_server import serving
from tests.support.network import Network


async def test_a_good_day(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Every topic has its finding, and all are well; a warning of `check` stands there once."""
    network = Network(nursery)
    for host in ("openai", "anthropic", "copilot"):
        await network.answer(host, lambda _, reply: reply.answer(401, [DATE], b"{}"))
    flags = {
        "openai_base_url": "http://openai/v1",
        "anthropic_base_url": "http://anthropic",
        "copilot_base_url": "http://copilot",
    }
    findings = await examine(load(flags, {}), network.way_out, 5.0, lambda: NOW)
    assert {each.level for each in findings} == {"ok"}
    topics = list(dict.fromkeys(each.topic for each in findings))
    assert topics == ["configuration", "limits", "descriptors", "provider", "clock", "callers"]
    findings = await examine(load({**flags, "queue_timeout": "5s"}, {}), network.way_out, 5.0, lambda: NOW)
    assert [each.text for each in findings if each.level == "warning"] == [
        "--queue-timeout: does nothing; --queue-size is 0, so there is no queue"
    ]


def flags_of(url: str) -> list[str]:
    """All providers at one host."""
    return ["--openai-base-url", f"{url}/v1", "--anthropic-base-url", url, "--copilot-base-url", url]


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keys and no proxy but the test's own."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "https_proxy", "HTTPS_PROXY", "AIBRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.real
@pytest.mark.usefixtures("plain_environment")
def test_the_command_shows_a_wrong_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 0 on a good day, 1 with a key that is refused, 2 for a mistake; never a secret."""
    secret = tmp_path / "openai.key"
    secret.write_text("sk-hunter2")
    secret.chmod(0o600)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(secret))
    with serving(Quiet(("127.0.0.1", 0), Silent)) as server:  # the mock sends no date
        assert cli.main(["doctor", *flags_of(f"http://127.0.0.1:{server.server_address[1]}")]) == 0
        good = capsys.readouterr().out
        assert good.endswith("all is well\n")
        assert "is accepted" in good
    with mock_provider.running(MockOptions()) as provider:
        flags = flags_of(provider.url)
        provider.change(fail={"401": 1.0})
        assert cli.main(["doctor", "--json", *flags]) == 1
        bad = capsys.readouterr().out
        said: dict[str, Any] = json.loads(bad)
        assert (said["valid"], said["well"]) == (True, False)
        assert [each["topic"] for each in said["findings"] if each["level"] == "error"] == ["provider"]
        secret.chmod(0o644)
        assert cli.main(["doctor", *flags]) == 1
        assert "not only its owner has access" in (odd := capsys.readouterr().out)
    assert cli.main(["doctor", "--json", "--rate-limit", "-3"]) == 2
    assert json.loads(capsys.readouterr().out)["valid"] is False
    assert "hunter2" not in good + bad + odd
