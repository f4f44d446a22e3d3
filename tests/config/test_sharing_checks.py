"""The options of what replicas share, as they are loaded: files, flags, requirements, warnings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from aibridge_trio.config import sharing_checks
from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.core.terms import TokenBudget
from aibridge_trio.errors import UsageError
from tests.support.spenders import known, spender


def warned(flags: dict[str, str], environ: dict[str, str] | None = None) -> list[str]:
    """Return the warnings about the store."""
    loaded = load(flags, environ or {})
    given = {name for name, origin in loaded.origins.items() if origin.kind != "default"}
    return [line for line in loaded.settings.warnings(given) if "--store" in line]


def test_the_url_may_be_in_a_file(tmp_path: Path) -> None:
    """So that its password is neither in the environment nor in a flag."""
    path = tmp_path / "store"
    path.write_text("redis://:hunter2@127.0.0.1\n")
    path.chmod(0o600)
    loaded = load({}, {"AIBRIDGE_STORE_FILE": str(path)})
    assert loaded.settings.store == Secret("redis://:hunter2@127.0.0.1")
    assert str(loaded.settings.store) == "redis://***@127.0.0.1"
    assert str(loaded.origins["store"]) == "environment AIBRIDGE_STORE_FILE"
    path.write_text("redis://hunter2@h")
    with pytest.raises(UsageError) as caught:
        load({}, {"AIBRIDGE_STORE_FILE": str(path)})
    assert "hunter2" not in str(caught.value)


def test_an_error_in_the_file_names_its_line(tmp_path: Path) -> None:
    """And its column."""
    path = tmp_path / "aibridge.toml"
    path.write_text('rate_limit = 1\n\n  store = "redis://:hun/ter2@h"\n')
    with pytest.raises(UsageError, match=r"aibridge.toml:3:3: store: ") as caught:
        load({"config": str(path)}, {})
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1", False),
        ("redis://localhost", False),
        ("redis://[::1]:7", False),
        ("unix:///run/redis.sock", False),
        ("rediss://10.0.0.1", False),
        ("redis://10.0.0.1", True),
        ("valkey+cluster://127.0.0.1,redis.example", True),
    ],
)
def test_clear_text_on_the_network_is_warned_of(url: str, said: bool) -> None:
    """With the hosts; not on this machine, and not with TLS."""
    lines = warned({}, {"AIBRIDGE_STORE": url})
    assert bool(lines) is said
    assert all("clear text" in line for line in lines)


def test_a_password_in_a_flag_is_warned_of() -> None:
    """Since `ps` shows it; not one in the environment."""
    url = "redis://:hunter2@127.0.0.1"
    [line] = warned({"store": url})
    assert "every user of this machine" in line
    assert "hunter2" not in line
    assert not warned({}, {"AIBRIDGE_STORE": url})
    assert not warned({"store": "redis://127.0.0.1"})
    proxy = load({"upstream_proxy": "http://u:p@h:1"}, {})
    assert any("--upstream-proxy" in line for line in proxy.settings.warnings())


def test_options_of_no_store_do_nothing() -> None:
    """Each is a line."""
    flags = {"store_prefix": "x", "store_failure": "closed", "store_timeout": "1s"}
    assert len(warned(dict(flags))) == 3
    assert not warned({**flags, "store": "redis://127.0.0.1"})


def test_a_store_keeps_budgets() -> None:
    """So there is no need of a file for them."""
    callers = known(spender("a", budget=TokenBudget(1000, "day")))
    settings = Settings(store=Secret("redis://127.0.0.1"), known_callers=callers)
    assert not any("--state-file" in line for line in settings.warnings())


def test_no_request_waits_longer_than_a_replica_may_be_silent() -> None:
    """The longest timeout is a second."""
    assert load({"store_timeout": "1s"}, {}).settings.store_timeout == 1.0
    with pytest.raises(UsageError, match=r"--store-timeout: 1\.001s is longer than 1s"):
        load({"store_timeout": "1001ms"}, {})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it; without a store it is not needed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(sharing_checks, "find_spec", lambda name: None if name == "coredis" else found(name))
    load({}, {})
    with pytest.raises(UsageError, match=r"--store: .*pip install 'aibridge-trio\[redis\]'"):
        load({"store": "redis://127.0.0.1"}, {})


def test_authorities_are_read(tmp_path: Path) -> None:
    """A file without certificates is refused at the start."""
    path = tmp_path / "ca.pem"
    path.write_text("none")
    with pytest.raises(UsageError, match=r"--store: .*ca.pem"):
        load({"store": f"rediss://h?ca={path}"}, {})
