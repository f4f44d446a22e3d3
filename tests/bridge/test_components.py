"""Every option has an effect when it is reloaded: each component's part of the settings is the new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.bridge.components import Components
from aibridge_trio.bridge.reloading import Prepared
from aibridge_trio.config.fixed_options import FIXED
from aibridge_trio.config.settings import OPTIONS, Option, Secret, Settings
from aibridge_trio.sharing.change import StoreChanged
from tests.net.test_tls_contexts import files_of
from tests.net.test_tls_upstream_ca import signed
from tests.support.option_values import other_value

# What each option changes, as a value that can be compared; None where it only decides what is valid, or is read
# when it is needed from `settings`.
EFFECTS: dict[str, Callable[[Components], Any] | None] = {
    "admin_token_file": lambda c: c.admin._access.token,
    "tls_cert": lambda c: c.server.secure,
    "tls_key": lambda c: c.server.secure,
    "tls_client_ca": lambda c: c.server._context and c.server._context.verify_mode,
    "trusted_proxies": lambda c: (c.callers._trusted, c._connection_limit._exempt),
    "allowed_hosts": lambda c: (c._origins._hosts, c._admin_origins._hosts),
    "allowed_origins": lambda c: (c._origins._origins, c._admin_origins._origins),
    "max_body": lambda c: c._gateway._max_body,
    "max_buffered": lambda c: (c.body_buffer.memory.limit, c._builder._copies.limit),
    "max_connections": lambda c: c._connection_limit._most,
    "max_connections_per_address": lambda c: c._connection_limit._per_address,
    "keep_alive_timeout": lambda c: c.server._parking.keep_alive,
    "adaptive": lambda c: [bool(backend.adaptive) for backend in c.router],
    "shadow": lambda c: (c.status.shadow, [each.circuits.rules.shadow for each in c.router]),
    "stored_references": lambda c: c._references._allowed,
    "forward_caller_keys": lambda c: [each.forward_caller_keys for each in c.router],
    "openai_base_url": lambda c: str(backend(c, "openai").upstream._base),
    "anthropic_base_url": lambda c: str(backend(c, "anthropic").upstream._base),
    "copilot_base_url": lambda c: str(backend(c, "copilot").upstream._base),
    "openai_api_key": lambda c: bool(backend(c, "openai").key),
    "anthropic_api_key": lambda c: bool(backend(c, "anthropic").key),
    "openai_organization": lambda c: backend(c, "openai").key.added,
    "openai_project": lambda c: backend(c, "openai").key.added,
    "upstream_proxy": lambda c: backend(c, "openai").upstream._transport,
    "https_proxy": lambda c: backend(c, "openai").upstream._transport,
    "no_proxy": lambda c: backend(c, "openai").upstream._transport,
    "upstream_ca": lambda c: backend(c, "openai").upstream._transport,
    "connect_timeout": lambda c: backend(c, "openai").upstream._call_timeouts.connect,
    "first_byte_timeout": lambda c: backend(c, "openai").upstream._call_timeouts.head.seconds,
    "idle_timeout": lambda c: backend(c, "openai").upstream._call_timeouts.reading.seconds,
    "max_duration": lambda c: backend(c, "openai").upstream._timeouts.total,
    "log_level": lambda c: c.log._min_level,
    "log_format": lambda c: c.log._format,
    "otel_sample": lambda c: traces(c)._tracing.sample,
    "hold_keepalive": lambda c: c._gateway._hold_keepalive,
    "circuit_breaker": lambda c: [each.circuits.enabled for each in c.router],
    "circuit_breaker_429": lambda c: [bool(each.circuits._key_cooldowns) for each in c.router],
    "circuit_breaker_scope": lambda c: [len(list(each.circuits)) for each in c.router],
    "circuit_breaker_models": lambda c: [list(each.circuits.by_scope()) for each in c.router],
    "circuit_breaker_slow_first_byte": lambda c: [each.circuits._slow.seconds for each in c.router],
    "callers_file": None,
    "allow_anonymous": None,
    "drain_delay": None,
    "graceful_timeout": None,
}
# Options of limits and of the breaker's policy, which have their own objects.
LIMITS = ("max_concurrency", "max_concurrency_per_caller", "max_concurrency_per_provider", "queue_size")
POLICY = (
    "failure_threshold",
    "failure_share",
    "window",
    "cooldown",
    "half_open_max_requests",
    "max_cooldown",
    "ramp",
)
EFFECTS |= {name: lambda c: c.admission.statistics().limits for name in (*LIMITS, "queue_timeout", "rate_limit")}
EFFECTS |= {
    f"circuit_breaker_{name}": lambda c: [each.breaker._policy for e in c.router for each in e.circuits]
    for name in POLICY
}

# What has to be set beside an option for it to have an effect.
BESIDE: dict[str, dict[str, Any]] = {
    "openai_organization": {"openai_api_key": Secret("sk-central-key")},
    "openai_project": {"openai_api_key": Secret("sk-central-key")},
    "forward_caller_keys": {"openai_api_key": Secret("sk-central-key")},
    "no_proxy": {"https_proxy": Secret("http://proxy.example:3128")},
    "hold_keepalive": {"adaptive": True},
    "otel_sample": {"otel_endpoint": "http://collector.example:4318"},
    "circuit_breaker_models": {"circuit_breaker": True, "circuit_breaker_scope": "model"},
}
BESIDE |= {
    option.name: {"circuit_breaker": True}
    for option in OPTIONS
    if option.name.startswith("circuit_breaker_") and option.name not in BESIDE
}


def traces(components: Components) -> Any:
    return components.traces


def backend(components: Components, name: str) -> Any:
    found = components.router.get(name)
    assert found
    return found


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
async def test_each_option_is_applied_or_said_to_be_fixed(
    option: Option, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """No option is ignored silently: a new one fails here until it has its line."""
    if option.name in FIXED:
        return
    effect = EFFECTS[option.name]
    if effect is None:
        return
    before = Settings(**BESIDE.get(option.name, {}))
    after = replace(before, **{option.name: _value(option, before, tmp_path)})
    context = None
    if option.name in {"tls_cert", "tls_key", "tls_client_ca"}:
        certificate, key = files_of(tmp_path, signed("localhost", None, authority=True))
        after = replace(after, tls_cert=certificate, tls_key=key)
        before = replace(after, tls_client_ca=None) if option.name == "tls_client_ca" else before
        context = Prepared.of(after).context
    if option.name == "admin_token_file":
        after = replace(after, admin_token=Secret("another-admin-token"))
    components = Components(before)
    former = effect(components)
    transports = components._transports(after) if option.name == "upstream_ca" else None
    components.apply(Prepared(after, context=context, transports=transports))
    assert effect(components) != former
    assert components.settings == after


def _value(option: Option, before: Settings, tmp_path: Path) -> Any:
    if option.name in {"upstream_ca", "tls_client_ca"}:
        return files_of(tmp_path, signed("localhost", None, authority=True))[0]
    if option.name == "no_proxy":
        return "api.openai.com"
    return other_value(option, but=getattr(before, option.name))


async def test_options_that_are_read_when_they_matter_are_the_new_ones(autojump_clock: MockClock) -> None:
    """The times of a drain come from the settings in force."""
    components = Components(Settings())
    components.apply(Prepared(Settings(drain_delay=7.0)))
    assert components.settings.drain_delay == 7


async def test_a_worker_tells_why_the_store_is_away_from_the_start(autojump_clock: MockClock) -> None:
    """That it has reached the store at the start is the same for all workers, and is left out."""
    components = Components(Settings(log_format="json"), worker=True)
    components._publish(StoreChanged(None, "shared", 2, ""))
    components._publish(StoreChanged(None, "degraded", 1, "connection refused"))
    components._publish(StoreChanged("degraded", "shared", 2, ""))
    assert [event["because"] for event in components.status.document()["events"]] == [
        "connection refused",
        "2 replicas",
    ]
