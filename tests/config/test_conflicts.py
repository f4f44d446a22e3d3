"""Settings that contradict each other are warned of, and those that could not start are mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.cli.check import warnings
from aibridge_trio.config.addresses import Address
from aibridge_trio.config.conflicts import conflicting_listeners, contradictions
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import OPTIONS, Secret, Settings, UnixSocket
from aibridge_trio.errors import UsageError

KEY = Secret("sk-hunter2")
BREAKER_OPTIONS = [each for each in OPTIONS if each.name.startswith("circuit_breaker_")]


def warned(flags: dict[str, Any], **environ: str) -> tuple[str, ...]:
    """What is said of these flags, which are valid."""
    return warnings(load(flags, environ))


def test_certificates_of_callers_need_an_authority_and_it_needs_them() -> None:
    """Each does nothing without the other."""
    laptop = KnownCallers(callers=(KnownCaller(name="laptop", certificate="laptop.example"),))
    authority = Path("/run/ca.pem")
    said = [
        [line for line in settings.warnings() if line.startswith("--tls-client-ca: ")]
        for settings in (
            Settings(known_callers=laptop, tls_client_ca=authority),
            Settings(known_callers=laptop),
            Settings(tls_client_ca=authority),
        )
    ]
    assert said == [
        [],
        ["--tls-client-ca: is not set, so certificates name no caller"],
        ["--tls-client-ca: does nothing; no caller has a certificate"],
    ]


def test_the_defaults_are_calm() -> None:
    """Nothing is set, nothing contradicts anything."""
    assert Settings().warnings() == ()
    assert warned({}) == ()


# Options of what is off.


@pytest.mark.parametrize("option", BREAKER_OPTIONS, ids=lambda option: option.name)
def test_options_of_a_breaker_that_is_off(option: Any) -> None:
    """Each of them does nothing without --circuit-breaker, also where it says the default."""
    flags: dict[str, Any] = {option.name: option.example}
    if option.name == "circuit_breaker_models":
        flags["circuit_breaker_scope"] = "model"
    said = [line for line in warned(flags) if line.startswith(f"{option.flag}: ")]
    assert said == [f"{option.flag}: does nothing; --circuit-breaker is off"]
    assert not any("does nothing" in line for line in warned(flags | {"circuit_breaker": True}))


@pytest.mark.parametrize(
    ("flags", "environ", "option"),
    [
        ({"queue_timeout": "5s"}, {}, "--queue-timeout"),
        ({"queue_timeout": "10s"}, {}, "--queue-timeout"),
        ({"bind_mode": "0600"}, {}, "--bind-mode"),
        ({"allow_anonymous": True}, {}, "--allow-anonymous"),
        ({"forward_caller_keys": True}, {}, "--forward-caller-keys"),
        ({}, {"AIBRIDGE_QUEUE_TIMEOUT": "5s"}, "--queue-timeout"),
    ],
)
def test_other_options_of_what_is_off(flags: dict[str, Any], environ: dict[str, str], option: str) -> None:
    """An option that could do nothing is said to do nothing."""
    (line,) = warned(flags, **environ)
    assert line.startswith(f"{option}: does nothing; ")


@pytest.mark.parametrize(
    ("name", "switch"),
    [
        ("concurrency", {"max_concurrency": "5"}),
        ("concurrency-per-caller", {"max_concurrency_per_caller": "5"}),
        ("concurrency-per-provider", {"max_concurrency_per_provider": "5"}),
        ("rate", {"rate_limit": "5"}),
        ("breaker", {"circuit_breaker": True}),
        ("credential", {"circuit_breaker": True, "circuit_breaker_429": "credential"}),
    ],
)
def test_a_shadow_of_what_is_off(name: str, switch: dict[str, Any]) -> None:
    """Shadow of a protection that is off counts nothing; of one that is on it is only counted."""
    (line,) = warned({"shadow": name})
    assert line.startswith(f"--shadow {name}: there is nothing to count; --")
    (line,) = warned({"shadow": name} | switch)
    assert line == f"--shadow: nothing is rejected by {name}; it is only counted"


@pytest.mark.parametrize(
    ("flags", "option"),
    [
        ({"max_concurrency": "5", "max_concurrency_per_caller": "6"}, "--max-concurrency-per-caller"),
        ({"max_concurrency": "5", "max_concurrency_per_provider": "6"}, "--max-concurrency-per-provider"),
        ({"max_connections": "5", "max_connections_per_address": "6"}, "--max-connections-per-address"),
        ({"max_connections": "5", "max_concurrency": "6"}, "--max-concurrency"),
        (
            {"circuit_breaker": True, "circuit_breaker_slow_first_byte": "10m"},
            "--circuit-breaker-slow-first-byte",
        ),
    ],
)
def test_limits_that_are_never_reached(flags: dict[str, Any], option: str) -> None:
    """A smaller limit hides a larger one."""
    (line,) = warned(flags)
    assert line.startswith(f"{option}: ")
    assert "never" in line


# Base URLs.


@pytest.mark.parametrize(
    ("option", "url", "said"),
    [
        ("openai_base_url", "https://api.openai.com", "has no path"),
        ("openai_base_url", "https://llm.example/", "has no path"),
        ("openai_base_url", "https://api.openai.com/v1/chat/completions", "without /chat/completions"),
        ("openai_base_url", "https://api.openai.com/v1/responses", "without /responses"),
        ("openai_base_url", "https://api.openai.com/v1/v1", "/v1 twice"),
        ("anthropic_base_url", "https://api.anthropic.com/v1", "ends in /v1"),
        ("anthropic_base_url", "https://api.anthropic.com/v1/messages", "without /messages"),
        ("anthropic_base_url", "https://api.openai.com", "not Anthropic's"),
        ("copilot_base_url", "https://api.githubcopilot.com/chat/completions", "without /chat/completions"),
        ("openai_base_url", "http://api.openai.com/v1", "callers' keys go to api.openai.com in clear text"),
        ("copilot_base_url", "http://8.8.8.8", "callers' keys go to 8.8.8.8 in clear text"),
    ],
)
def test_base_urls_that_cannot_be_right(option: str, url: str, said: str) -> None:
    """Each route is appended to the base, so an endpoint, a missing or a second /v1 lead nowhere."""
    (line,) = warned({option: url})
    assert line.startswith(f"--{option.replace('_', '-')}: ")
    assert said in line


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("openai_base_url", "https://openrouter.ai/api/v1"),
        ("openai_base_url", "https://me.openai.azure.com/openai"),
        ("openai_base_url", "http://127.0.0.1:4010/v1"),
        ("openai_base_url", "http://[::1]:4010/v1"),
        ("openai_base_url", "http://vllm:8000/v1"),
        ("openai_base_url", "http://vllm.models.svc:8000/v1"),
        ("openai_base_url", "http://10.0.0.9:8000/v1"),
        ("anthropic_base_url", "https://gateway.example/anthropic"),
        ("anthropic_base_url", "http://localhost:4010"),
    ],
)
def test_base_urls_that_may_be_right(option: str, url: str) -> None:
    """Other providers' paths, and plain http inside a site, are the operator's business."""
    assert warned({option: url}) == ()


# Listeners.


@pytest.mark.parametrize(
    ("bind", "admin"),
    [
        ("127.0.0.1:4002", "127.0.0.1:4002"),
        ("127.0.0.1:7", "localhost:7"),
        ("LOCALHOST:7", "localhost:7"),
        ("0.0.0.0:7", "127.0.0.1:7"),
        ("[::]:7", "127.0.0.1:7"),
        ("[::]:7", "[::1]:7"),
        ("127.0.0.1:7,0.0.0.0:7", "127.0.0.1:8"),
        ("127.0.0.1:6,[::1]:7,localhost:7", "127.0.0.1:8"),
    ],
)
def test_two_listeners_on_one_port_are_a_mistake(bind: str, admin: str) -> None:
    """The second one could not start."""
    with pytest.raises(UsageError, match="are one port; give each listener its own"):
        load({"bind": [bind], "admin_bind": admin}, {})


@pytest.mark.parametrize(
    ("bind", "admin"),
    [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:7", "[::1]:7"),
        ("127.0.0.1:7", "127.0.0.2:7"),
        ("0.0.0.0:7", "[::1]:7"),
        ("unix:/run/a", "127.0.0.1:7"),
        ("127.0.0.1:7", "127.0.0.1:8"),
    ],
)
def test_listeners_that_do_not_meet_are_none(bind: str, admin: str) -> None:
    """Other ports, other addresses, and ports that the system chooses."""
    assert load({"bind": [bind], "admin_bind": admin}, {}).settings.warnings() == ()


@given(st.sampled_from(["127.0.0.1", "::1", "::", "localhost", "10.0.0.1"]), st.integers(0, 3), st.integers(0, 3))
def test_only_one_port_clashes(host: str, one: int, other: int) -> None:
    """Ports that differ never do; the same one on the same host always does, unless the system chooses it."""
    settings = Settings(bind=(Address(host, one), UnixSocket("/run/x")), admin_bind=Address(host, other))
    assert (conflicting_listeners(settings) is not None) == (one == other != 0)


def test_the_mistake_names_what_was_set() -> None:
    """Where the other one is a default, it is not to blame."""
    with pytest.raises(UsageError, match=r"^--bind: 127.0.0.1:4002 and 127.0.0.1:4002"):
        load({"bind": ["127.0.0.1:4002"]}, {})
    with pytest.raises(UsageError, match=r"^AIBRIDGE_ADMIN_BIND: "):
        load({}, {"AIBRIDGE_ADMIN_BIND": "127.0.0.1:4001"})


def test_options_of_a_provider_that_is_switched_off() -> None:
    """Its base URL, its key and what goes with that."""
    off = Settings(disabled_providers=frozenset({"openai"}), openai_api_key=Secret("a"), openai_project="p")
    lines = list(contradictions(off, {"openai_base_url"}))
    assert lines == [
        "--openai-base-url: does nothing; openai is switched off",
        "OPENAI_API_KEY: does nothing; openai is switched off",
        "--openai-project: does nothing; openai is switched off",
    ]
