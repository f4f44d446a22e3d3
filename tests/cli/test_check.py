"""What `aibridge check` prints: all, or what differs; for people, or for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aibridge_trio.cli import main as cli
from aibridge_trio.config.settings import OPTIONS


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What `aibridge check` prints."""
    assert cli.main(["check", *arguments]) == status
    return capsys.readouterr().out


def test_diff_shows_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    """Options at their defaults are left out, also where something says so; warnings stay."""
    assert printed(capsys, "--diff") == "configuration is valid\n"
    first, *rest = printed(
        capsys, "--diff", "--rate-limit", "3", "--max-body", "32MiB", "--queue-timeout", "10s"
    ).splitlines()
    assert first.split() == ["--rate-limit", "3", "flag", "--rate-limit"]
    assert rest == [
        "configuration is valid",
        "warning: --queue-timeout: does nothing; --queue-size is 0, so there is no queue",
    ]


def test_json_is_for_machines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option has its value, its default and where it came from, with JSON's types."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("AIBRIDGE_IDLE_TIMEOUT", "90s")
    out = printed(capsys, "--json", "--rate-limit", "3", "--circuit-breaker", "--shadow", "rate")
    assert "hunter2" not in out
    said = json.loads(out)
    assert said["valid"] is True
    assert set(said["options"]) == {"config", *(option.name for option in OPTIONS)}
    assert said["options"]["rate_limit"] == {"value": 3, "default": 0, "source": "flag", "place": "--rate-limit"}
    assert said["options"]["circuit_breaker"]["value"] is True
    assert said["options"]["shadow"]["value"] == ["rate"]
    assert said["options"]["shadow"]["default"] == []
    assert said["options"]["openai_api_key"] == {
        "value": "***",
        "default": None,
        "source": "environment",
        "place": "OPENAI_API_KEY",
    }
    assert said["options"]["idle_timeout"]["place"] == "AIBRIDGE_IDLE_TIMEOUT"
    assert said["options"]["max_body"] == {
        "value": "32MiB",
        "default": "32MiB",
        "source": "default",
        "place": None,
    }
    assert said["warnings"] == ["--shadow: nothing is rejected by rate; it is only counted"]
    differing = json.loads(printed(capsys, "--json", "--diff", "--rate-limit", "3"))["options"]
    assert set(differing) == {"rate_limit", "openai_api_key", "idle_timeout"}


def test_json_of_a_mistake_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine reads what is wrong where it reads the rest, and the status stays 2."""
    said = json.loads(printed(capsys, "--json", "--rate-limit", "x", status=2))
    assert said == {
        "valid": False,
        "mistake": '--rate-limit: "x" is not a whole number; write e.g. --rate-limit 10',
    }


def test_tables_are_shown_with_their_places(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Providers that there are without a table only where all is shown."""
    config = tmp_path / "a.toml"
    config.write_text('[providers.copilot]\nenabled = false\n[[callers]]\nname = "dev"\ncertificate = "dev"')
    out = printed(capsys, "--config", str(config))
    assert "[providers.openai]" in out
    out = printed(capsys, "--diff", "--config", str(config))
    assert "[providers.openai] " not in out
    [line] = [line for line in out.splitlines() if line.startswith("[[callers]] dev ")]
    assert line.split() == ["[[callers]]", "dev", "certificate", "dev", f"{config}:3:3"]
    said = json.loads(printed(capsys, "--json", "--config", str(config)))
    assert [each["name"] for each in said["providers"]] == ["openai", "anthropic", "copilot"]
    assert said["callers"] == [{"name": "dev", "certificate": "dev", "place": f"{config}:3:3"}]
    assert said["classes"] == said["routes"] == []
