from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from aibridge_trio.config.settings import CONFIG, OPTIONS, Address, Option, Secret, Settings, UnixSocket
from aibridge_trio.config.units import BOOLEAN

BY_NAME = {option.name: option for option in OPTIONS}

# Of every option: a value as text, and as the bridge sees it.
VALUES: dict[str, tuple[str, object]] = {
    "bind": ("[::1]:8080, unix:/run/bridge", (Address("::1", 8080), UnixSocket("/run/bridge"))),
    "bind_mode": ("666", 0o666),
    "admin_bind": ("localhost:0", Address("localhost", 0)),
    "admin_token_file": ("/run/token", Path("/run/token")),
    "tls_client_ca": ("/run/callers.pem", Path("/run/callers.pem")),
    "tls_cert": ("/run/cert.pem", Path("/run/cert.pem")),
    "tls_key": ("/run/key.pem", Path("/run/key.pem")),
    "trusted_proxies": ("10.0.0.0/8,::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
    "allowed_hosts": ("Bridge.Example., 10.0.0.7", ("bridge.example", "10.0.0.7")),
    "allowed_origins": ("https://App.example:443,null", ("https://app.example", "null")),
    "callers_file": ("/run/callers.toml", Path("/run/callers.toml")),
    "allow_anonymous": ("true", True),
    "max_concurrency": ("50", 50),
    "rate_limit": ("10", 10),
    "max_concurrency_per_caller": ("5", 5),
    "max_concurrency_per_provider": ("40", 40),
    "queue_size": ("100", 100),
    "queue_timeout": ("2.5s", 2.5),
    "adaptive": ("true", True),
    "hold_keepalive": ("15s", 15.0),
    "shadow": ("rate, concurrency", ("concurrency", "rate")),
    "max_body": ("1.5MiB", 3 << 19),
    "max_buffered": ("64MiB", 64 << 20),
    "max_connections": ("9", 9),
    "max_connections_per_address": ("8", 8),
    "keep_alive_timeout": ("620s", 620.0),
    "store": ("redis://:p@redis:6380/1", Secret("redis://:p@redis:6380/1")),
    "store_prefix": ("aibridge-staging", "aibridge-staging"),
    "store_failure": ("closed", "closed"),
    "store_timeout": ("20ms", 0.02),
    "workers": ("3", 3),
    "circuit_breaker": ("true", True),
    "circuit_breaker_failure_threshold": ("7", 7),
    "circuit_breaker_failure_share": ("12.5%", 0.125),
    "circuit_breaker_window": ("1500ms", 1.5),
    "circuit_breaker_cooldown": ("1m", 60.0),
    "circuit_breaker_half_open_max_requests": ("1", 1),
    "circuit_breaker_max_cooldown": ("10m", 600.0),
    "circuit_breaker_429": ("credential", "credential"),
    "circuit_breaker_scope": ("endpoint", "endpoint"),
    "circuit_breaker_models": ("gpt-5, claude-opus-*", ("gpt-5", "claude-opus-*")),
    "circuit_breaker_slow_first_byte": ("20s", 20.0),
    "circuit_breaker_ramp": ("10s", 10.0),
    "openai_base_url": ("http://127.0.0.1:4010/openai/v1/", "http://127.0.0.1:4010/openai/v1"),
    "anthropic_base_url": ("https://a.example", "https://a.example"),
    "copilot_base_url": ("https://c.example/x", "https://c.example/x"),
    "openai_api_key": ("sk-openai", Secret("sk-openai")),
    "anthropic_api_key": ("sk-ant", Secret("sk-ant")),
    "openai_organization": ("org-1", "org-1"),
    "openai_project": ("proj_1", "proj_1"),
    "stored_references": ("false", False),
    "forward_caller_keys": ("true", True),
    "upstream_proxy": ("http://u:p@proxy:3128", Secret("http://u:p@proxy:3128")),
    "https_proxy": ("https://u:p@proxy:3129", Secret("https://u:p@proxy:3129")),
    "no_proxy": ("localhost,.internal", "localhost,.internal"),
    "upstream_ca": ("/run/ca.pem", Path("/run/ca.pem")),
    "connect_timeout": ("0s", math.inf),
    "first_byte_timeout": ("2.5h", 9000.0),
    "max_duration": ("1h", 3600.0),
    "idle_timeout": ("90s", 90.0),
    "drain_delay": ("5s", 5.0),
    "graceful_timeout": ("0s", math.inf),
    "state_file": ("/run/state.json", Path("/run/state.json")),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "log_file": ("/var/log/aibridge.log", Path("/var/log/aibridge.log")),
    "otel_endpoint": ("http://127.0.0.1:4318/", "http://127.0.0.1:4318"),
    "otel_service_name": ("aibridge-staging", "aibridge-staging"),
    "otel_sample": ("10%", 0.1),
    "otel_headers": ("authorization=Bearer%20x", Secret("authorization=Bearer%20x")),
}


def test_every_option_has_a_value_to_try() -> None:
    """No option is left out of these tests."""
    assert set(VALUES) == {option.name for option in OPTIONS}


def test_every_field_is_an_option() -> None:
    """Settings hold nothing that can't be set, but the token read from its file, and the file's tables."""
    tables = {"known_callers", "provider_tables", "disabled_providers", "routes"}
    assert {f.name for f in fields(Settings)} == set(VALUES) | {"admin_token"} | tables


@pytest.mark.parametrize("name", VALUES)
def test_an_option_reads_and_shows_its_value(name: str) -> None:
    """An option's text is read as the right value; shown, it reads as the same again, or shows no secret."""
    text, value = VALUES[name]
    unit = BY_NAME[name].unit
    assert unit.parse(text) == value
    shown = BY_NAME[name].show(value)
    if isinstance(value, Secret):
        assert text not in shown
    else:
        assert unit.parse(shown) == value


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_is_fully_described(option: Option) -> None:
    """Every option has a variable, a group, one sentence of help, and a default that its unit accepts."""
    assert option.variables
    assert option.group
    assert option.help.endswith(".")
    default = getattr(Settings(), option.name)
    assert default == (None if option.default is None else option.unit.parse(option.default))


@pytest.mark.parametrize("option", [CONFIG, *OPTIONS], ids=lambda option: option.name)
def test_names_derive_from_the_field(option: Option) -> None:
    """Flag, key and first variable follow from the name, unless the option is private: then only variables."""
    if option.private:
        assert (option.flag, option.key, option.negative) == (None, None, None)
    else:
        assert option.flag == "--" + option.name.replace("_", "-")
        assert option.key == option.name
        assert option.variables[0] == "AIBRIDGE_" + option.name.upper()
        assert option.negative == (f"--no-{option.flag[2:]}" if option.unit is BOOLEAN else None)


def test_central_keys_have_neither_flag_nor_key() -> None:
    """A central key comes from its variable or from a file that one names, never from a command line."""
    for name in ("openai_api_key", "anthropic_api_key"):
        assert BY_NAME[name].private
        assert BY_NAME[name].all_variables == (name.upper(), f"{name.upper()}_FILE")


def test_names_are_unique() -> None:
    """No two options share a variable."""
    names = [name for option in (CONFIG, *OPTIONS) for name in option.all_variables]
    assert len(names) == len(set(names))


def test_the_defaults_are_the_documented_ones() -> None:
    """Without any configuration every option has the default that the manual promises."""
    promised = {
        "bind": "127.0.0.1:4001",
        "bind_mode": "0660",
        "admin_bind": "127.0.0.1:4002",
        "max_concurrency": "0",
        "rate_limit": "0",
        "max_concurrency_per_caller": "0",
        "max_concurrency_per_provider": "0",
        "queue_size": "0",
        "queue_timeout": "10s",
        "hold_keepalive": "0s",
        "store": "none",
        "store_prefix": "aibridge",
        "store_failure": "local",
        "store_timeout": "50ms",
        "workers": "1",
        "max_body": "32MiB",
        "max_buffered": "256MiB",
        "max_connections": "0",
        "max_connections_per_address": "0",
        "keep_alive_timeout": "2m",
        "circuit_breaker_failure_threshold": "5",
        "circuit_breaker_failure_share": "0",
        "circuit_breaker_window": "10s",
        "circuit_breaker_cooldown": "30s",
        "circuit_breaker_half_open_max_requests": "3",
        "circuit_breaker_max_cooldown": "5m",
        "circuit_breaker_429": "provider",
        "circuit_breaker_scope": "provider",
        "circuit_breaker_slow_first_byte": "0s",
        "circuit_breaker_ramp": "0s",
        "openai_base_url": "https://api.openai.com/v1",
        "anthropic_base_url": "https://api.anthropic.com",
        "copilot_base_url": "https://api.githubcopilot.com",
        "stored_references": "true",
        "connect_timeout": "10s",
        "first_byte_timeout": "10m",
        "max_duration": "0s",
        "idle_timeout": "5m",
        "drain_delay": "0s",
        "graceful_timeout": "30s",
        "log_level": "info",
        "log_format": "auto",
        "otel_service_name": "aibridge",
        "otel_sample": "100%",
    }
    switches = {option.name: "false" for option in OPTIONS if option.negative}
    shown = {option.name: option.show(getattr(Settings(), option.name)) for option in OPTIONS}
    assert shown == dict.fromkeys(shown, "none") | switches | promised


def test_settings_are_frozen_and_hide_secrets() -> None:
    """Settings can't be changed, and their repr shows no secret."""
    settings = Settings(
        openai_api_key=Secret("sk-hunter2"),
        upstream_proxy=Secret("http://u:hunter2@p"),
        admin_token=Secret("hunter2"),
    )
    assert "hunter2" not in repr(settings)
    with pytest.raises(FrozenInstanceError):
        settings.rate_limit = 1  # type: ignore[misc]


def test_an_explicit_proxy_is_for_every_upstream() -> None:
    """--upstream-proxy is used whatever the scheme, and whatever HTTPS_PROXY and NO_PROXY say."""
    proxy = Secret("http://a:1")
    settings = Settings(upstream_proxy=proxy, https_proxy=Secret("http://b:1"), no_proxy="*")
    assert settings.proxy_for("https://api.openai.com/v1") == proxy
    assert settings.proxy_for("http://127.0.0.1:4010") == proxy


@pytest.mark.parametrize(
    ("base_url", "proxied"),
    [
        ("https://api.openai.com/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://model.internal:8443/v1", False),
        ("https://model.internal.example", True),
        ("https://localhost", False),
        ("https://[::1]:443/v1", True),
    ],
)
def test_https_proxy_is_for_https_that_is_not_bypassed(base_url: str, proxied: bool) -> None:
    """HTTPS_PROXY is used for https:// upstreams whose host NO_PROXY does not name."""
    proxy = Secret("http://proxy:3128")
    settings = Settings(https_proxy=proxy, no_proxy="localhost,.internal")
    assert settings.proxy_for(base_url) == (proxy if proxied else None)


def test_without_a_proxy_the_way_is_straight() -> None:
    """No proxy configured, none used; NO_PROXY=* bypasses every one from the environment."""
    assert Settings().proxy_for("https://api.openai.com") is None
    assert Settings(https_proxy=Secret("http://p"), no_proxy="*").proxy_for("https://x.example") is None


def test_an_open_listener_with_a_central_key_is_warned_about() -> None:
    """What --allow-anonymous permits is said again as a warning; nothing else is."""
    anywhere = (Address("0.0.0.0", 4001), UnixSocket("/run/bridge"))
    key = Secret("sk-hunter2")
    (warning,) = Settings(bind=anywhere, openai_api_key=key, allow_anonymous=True).warnings()
    assert "0.0.0.0:4001" in warning
    assert "hunter2" not in warning
    assert Settings(bind=anywhere).warnings() == ()
    assert Settings(openai_api_key=key).warnings() == ()
