"""Tables as `aibridge check` shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aibridge_trio.config.loader import load
from aibridge_trio.config.tables.shown import Shown, shown

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[providers.azure]
dialect = "openai"
base_url = "https://x.example/v1"
keys = [{ file = "canary-1", weight = 3, rate_limit = "100/m" }, { env = "AZURE" }]
headers = { x-team = "canary-2" }
[providers.copilot]
enabled = false
[[routes]]
model = "qwen*"
providers = ["azure", "openai"]
"""
CALLERS = f"""\
[classes.people]
max_concurrency = 8
total_rate_limit = 5
[[callers]]
name = "dev-07"
class = "people"
token_sha256 = "{"ab" * 32}"
expires = 2027-03-31
models = ["claude-*"]
budget = {{ tokens = 1000, per = "day" }}
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """What is shown of the two files."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("a.toml", CONFIG), ("c.toml", CALLERS), ("canary-1", "sk-canary")):
        (tmp_path / name).write_text(text)
    loaded = load({"config": "a.toml", "callers_file": "c.toml"}, {"AZURE": "sk-canary"})
    return list(shown(loaded.settings, loaded.document, loaded.callers))


def test_every_table_has_its_place_and_what_is_in_force(tables: list[Shown]) -> None:
    """What the options give it, too."""
    assert [(each.label, each.text, each.place) for each in tables] == [
        ("[providers.openai]", "openai, https://api.openai.com/v1", None),
        ("[providers.anthropic]", "anthropic, https://api.anthropic.com", None),
        (
            "[providers.azure]",
            (
                "openai, https://x.example/v1, keys canary-1 (weight 3, rate_limit 100/m) AZURE, "
                "key_choice weighted, headers x-team"
            ),
            "a.toml:1:12",
        ),
        ("[providers.copilot]", "switched off", "a.toml:6:12"),
        ("[[routes]] qwen*", "providers azure openai", "a.toml:8:3"),
        ("[classes.people]", "callers 1, max_concurrency 8, total_rate_limit 5", "c.toml:1:10"),
        (
            "[[callers]] dev-07",
            (
                "class people, token_sha256 abababab, expires 2027-03-31, max_concurrency 8, models claude-*, "
                "budget 1000 day"
            ),
            "c.toml:4:3",
        ),
    ]


def test_nothing_secret_is_shown(tables: list[Shown]) -> None:
    """Neither keys nor headers' values, nor more of a hash than recognises it; all are JSON's types."""
    text = json.dumps([dict(each.values) for each in tables])
    assert "canary-2" not in text
    assert "sk-canary" not in text
    assert "ab" * 5 not in text
