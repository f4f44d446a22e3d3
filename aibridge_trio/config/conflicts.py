"""Valid settings without effect beside the others: limits never reached, options of a protection that is off.

One function per check. A message is one line: the option, what it does not do, and why.
"""

from __future__ import annotations

import re
from dataclasses import fields
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from aibridge_trio.config.addresses import Address
from aibridge_trio.config.protections import SWITCHES, is_on
from aibridge_trio.config.provider_tables import base_url_label, effective
from aibridge_trio.config.sharing_checks import without_store
from aibridge_trio.config.tracing_checks import without_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from aibridge_trio.config.settings import Settings

# The last segments of a base URL that is an endpoint's URL by mistake.
_ENDPOINT = re.compile(
    r"/(chat/completions|completions|responses|embeddings|models|messages|messages/count_tokens|images/generations)$"
)
# Domains that exist only inside a machine, a cluster or a site.
_INSIDE = (".local", ".localhost", ".internal", ".svc", ".lan", ".home.arpa", ".localdomain", ".test")
_ANY_IPV4, _ANY_IPV6 = str(IPv4Address(0)), "::"


def contradictions(settings: Settings, given: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for each setting without effect.

    `given` names the options that were set explicitly, even if to their defaults.
    """
    default = type(settings)()
    differing = {
        each.name for each in fields(settings) if getattr(settings, each.name) != getattr(default, each.name)
    }
    for check in _CHECKS:
        yield from check(settings)
    yield from _without_its_protection(settings, differing | set(given))
    yield from _of_switched_off(settings, differing | set(given))
    yield from without_store(settings, differing | set(given))
    yield from without_endpoint(settings, differing | set(given))


def conflicting_listeners(settings: Settings) -> tuple[Address, Address] | None:
    """Return two listeners that cannot both bind their port, None if all can."""
    binds = [each for each in (*settings.bind, settings.admin_bind) if isinstance(each, Address) and each.port]
    pairs = ((other, one) for place, one in enumerate(binds) for other in binds[:place])
    return next(((one, other) for one, other in pairs if one.port == other.port and _overlap(one, other)), None)


def _overlap(one: Address, other: Address) -> bool:
    """Whether the two bind a common address of their port. `[::]` includes IPv4."""
    hosts = {one.host.lower(), other.host.lower()}
    if len(hosts) == 1 or _ANY_IPV6 in hosts:
        return True
    if "localhost" in hosts:
        return bool(hosts & {"127.0.0.1", "::1", _ANY_IPV4})
    return _ANY_IPV4 in hosts and not any(":" in host for host in hosts)


# The checks.


def _nothing_to_count(settings: Settings) -> Iterator[str]:
    for name in settings.shadow:
        switch = SWITCHES[name]
        if not is_on(settings, name):
            yield f"--shadow {name}: there is nothing to count; {_flag(switch)} is off"
        elif name == "credential" and settings.circuit_breaker_429 != "credential":
            yield f"--shadow {name}: there is nothing to count; --circuit-breaker-429 is provider"


def _without_its_protection(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """Options of a protection, queue or listener that is off."""
    if not settings.circuit_breaker:
        for name in sorted(given):
            if name.startswith("circuit_breaker_"):
                yield f"{_flag(name)}: does nothing; --circuit-breaker is off"
    if not settings.queue_size and "queue_timeout" in given:
        yield "--queue-timeout: does nothing; --queue-size is 0, so there is no queue"
    if "bind_mode" in given and all(isinstance(bind, Address) for bind in settings.bind):
        yield "--bind-mode: does nothing; no unix socket is in --bind"
    if not settings.has_central_key:
        if settings.allow_anonymous and not settings.known_callers:
            yield "--allow-anonymous: does nothing; there is no central key"
        if settings.forward_caller_keys:
            yield "--forward-caller-keys: does nothing; there is no central key"
    if settings.upstream_ca and not any(table.base_url.startswith("https:") for table in effective(settings)):
        yield "--upstream-ca: does nothing; no provider is called over https"


def _of_switched_off(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """Options of built-in providers that a table switches off."""
    for name in sorted(settings.disabled_providers):
        for option in (f"{name}_base_url", f"{name}_api_key", f"{name}_organization", f"{name}_project"):
            if option in given:
                label = option.upper() if option.endswith("_api_key") else _flag(option)
                yield f"{label}: does nothing; {name} is switched off"


def _client_certificates(settings: Settings) -> Iterator[str]:
    named = any(caller.certificate for caller in settings.known_callers.callers)
    if settings.tls_client_ca and not named:
        yield "--tls-client-ca: does nothing; no caller has a certificate"
    if named and not settings.tls_client_ca:
        yield "--tls-client-ca: is not set, so certificates name no caller"


def _nothing_held(settings: Settings) -> Iterator[str]:
    if settings.hold_keepalive and not settings.adaptive:
        yield "--hold-keepalive: does nothing; --adaptive is off"
    elif settings.hold_keepalive and "adaptive" in settings.shadow:
        yield "--hold-keepalive: does nothing; --shadow adaptive holds no request"


def _never_reached(settings: Settings) -> Iterator[str]:
    """Limits above another limit that is reached first."""
    for smaller, larger in (
        ("max_concurrency", "max_concurrency_per_caller"),
        ("max_concurrency", "max_concurrency_per_provider"),
        ("max_connections", "max_connections_per_address"),
        ("max_connections", "max_concurrency"),
    ):
        least, most = getattr(settings, smaller), getattr(settings, larger)
        if 0 < least < most:
            yield f"{_flag(larger)}: {most} are never reached; {_flag(smaller)} is {least}"
    slow = settings.circuit_breaker_slow_first_byte
    if settings.circuit_breaker and settings.first_byte_timeout <= slow < float("inf"):
        yield "--circuit-breaker-slow-first-byte: never happens; --first-byte-timeout ends the request before"


def _base_urls(settings: Settings) -> Iterator[str]:
    """Base URLs that give wrong URLs when a route of the provider is appended."""
    for table in effective(settings):
        option, url = base_url_label(settings, table), table.base_url
        host, _, path = url.partition("://")[2].partition("/")
        path = f"/{path}" if path else ""
        if endpoint := _ENDPOINT.search(path):
            yield f"{option}: {url} names an endpoint; write it without {endpoint[0]}"
        elif "/v1/v1" in path:
            yield f"{option}: {url} has /v1 twice"
        elif table.dialect == "openai" and not path:
            yield f"{option}: {url} has no path; OpenAI's routes are beneath {url}/v1"
        elif table.dialect == "anthropic" and path.endswith("/v1"):
            yield f"{option}: {url} ends in /v1, which Anthropic's routes have themselves; write it without"
        elif table.dialect == "anthropic" and host == "api.openai.com":
            yield f"{option}: {url} is not Anthropic's"


def _clear_text(settings: Settings) -> Iterator[str]:
    """Callers' keys in clear text on the internet; `startup_warnings` covers central keys."""
    for table in effective(settings):
        option, url = base_url_label(settings, table), table.base_url
        scheme, _, rest = url.partition("://")
        host = re.sub(r":[0-9]*$", "", rest.partition("/")[0]).strip("[]")
        if scheme == "http" and not (table.keys or table.keyless) and _is_public(host):
            yield f"{option}: callers' keys go to {host} in clear text; write https://"


def _is_public(host: str) -> bool:
    """Whether this host is reached over the internet, judged by its name or address."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." in host.rstrip(".") and not host.rstrip(".").endswith(_INSIDE)
    return address.is_global and not (isinstance(address, IPv6Address) and address.is_site_local)


_CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (
    _nothing_to_count,
    _client_certificates,
    _nothing_held,
    _never_reached,
    _base_urls,
    _clear_text,
)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
