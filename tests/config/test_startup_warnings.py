"""What a configuration is warned of: by `check`, and in the first lines of the log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import Address, Secret, Settings
from aibridge_trio.core.terms import TokenBudget
from tests.support.spenders import known, spender

KEY = Secret("zz-central-key")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"openai_api_key": KEY, "openai_base_url": "http://10.0.0.7:8000/v1"},
            ["10.0.0.7:8000", "--openai-base-url"],
        ),
        (
            {"anthropic_api_key": KEY, "anthropic_base_url": "http://models.local"},
            ["models.local", "--anthropic-base-url"],
        ),
        ({"openai_api_key": KEY, "openai_base_url": "http://[2001:db8::7]:80/v1"}, ["[2001:db8::7]:80"]),
        (
            {"admin_token": KEY, "admin_bind": Address("0.0.0.0", 4002)},
            ["--admin-bind", "0.0.0.0:4002", "clear text"],
        ),
    ],
)
def test_each_is_a_line_that_names_its_place(options: dict[str, object], said: list[str]) -> None:
    """One line, with what and where, and no secret in it."""
    [line] = Settings(**options).warnings()  # type: ignore[arg-type]
    assert all(each in line for each in said)
    assert "zz" not in line


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"openai_base_url": "http://10.0.0.7/v1"},
        {"openai_api_key": KEY, "openai_base_url": "https://10.0.0.7/v1"},
        {"openai_api_key": KEY, "openai_base_url": "http://127.0.0.1:8000/v1"},
        {"openai_api_key": KEY, "openai_base_url": "http://localhost/v1"},
        {"openai_api_key": KEY, "openai_base_url": "http://[::1]:8000/v1"},
        {"anthropic_api_key": KEY, "openai_base_url": "http://10.0.0.7/v1"},
        {"copilot_base_url": "http://10.0.0.7"},
        {"admin_token": KEY},
        {"admin_bind": Address("0.0.0.0", 4002)},
    ],
)
def test_what_is_well_has_none(options: dict[str, object]) -> None:
    """TLS, loopback, no key on that way, no token."""
    assert Settings(**options).warnings() == ()  # type: ignore[arg-type]


def test_budgets_need_a_file_to_survive() -> None:
    """Without one a restart gives every caller its budget anew."""

    def warned(settings: Settings) -> bool:
        return any("--state-file" in line for line in settings.warnings())

    callers = known(spender("a", budget=TokenBudget(1000, "day")))
    assert warned(Settings(known_callers=callers))
    assert not warned(Settings(known_callers=callers, state_file=Path("/run/state")))
    assert not warned(Settings(known_callers=callers, state_file=Path("/run/state"), workers=2))
    assert not warned(Settings(known_callers=known(spender("a", tokens=1000))))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o644, 0o660, 0o602])
def test_files_with_secrets_are_their_owners(tmp_path: Path, mode: int) -> None:
    """The token's and a key's, by links too: each that others have a right to, in a line that names it."""
    token, key, link = tmp_path / "token", tmp_path / "key", tmp_path / "link"
    for path, text in ((token, "zz-0123456789abcdef"), (key, "zz-key")):
        path.write_text(text)
        path.chmod(mode)
    link.symlink_to(key)
    environ = {"OPENAI_API_KEY_FILE": str(link), "ANTHROPIC_API_KEY_FILE": str(link)}
    settings = load({"admin_token_file": str(token)}, environ).settings
    said = settings.warnings()
    assert [any(str(path) in line for line in said) for path in (token, link)] == [bool(mode & 0o077)] * 2
    assert len(said) == (2 if mode & 0o077 else 0)
    assert not any("zz" in line for line in said)


def test_a_private_key_is_its_owners(tmp_path: Path) -> None:
    """--tls-key is a file with a secret, too."""
    key = tmp_path / "key.pem"
    key.touch(0o644)
    [line] = Settings(tls_key=key).warnings()
    assert str(key) in line


def test_what_is_no_file_has_no_mode(tmp_path: Path) -> None:
    """A pipe that a secret came through, and a file that is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    assert Settings(admin_token=Secret("x", file=pipe)).warnings() == ()
    assert Settings(admin_token=Secret("x", file=tmp_path / "gone")).warnings() == ()


def test_a_tables_key_file_is_a_secret_file(tmp_path: Path) -> None:
    """Of providers that the file names, too."""
    (tmp_path / "azure.key").write_text("sk-1")
    (tmp_path / "azure.key").chmod(0o644)
    toml = tmp_path / "a.toml"
    toml.write_text(
        '[providers.azure]\ndialect = "openai"\nbase_url = "https://x.example/v1"\n'
        f'key_file = "{tmp_path}/azure.key"'
    )
    [line] = load({"config": str(toml)}, {}).settings.warnings()
    assert line == f'"{tmp_path}/azure.key" holds a secret, and not only its owner has access; chmod 600 it'
    (tmp_path / "azure.key").chmod(0o600)
    assert load({"config": str(toml)}, {}).settings.warnings() == ()
