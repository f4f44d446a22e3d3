"""Rejects base URLs that lead to the bridge itself."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aibridge_trio.config.addresses import BASE_URL, Address, Bind, is_loopback_address
from aibridge_trio.config.settings import OPTIONS, Settings

if TYPE_CHECKING:
    from aibridge_trio.config.origin import Origin

_DEFAULT_PORTS = {"http": 80, "https": 443}


def leads_back(base_url: str, binds: Iterable[Bind]) -> Bind | None:
    """Return the listener that a base URL leads to, None if there is none. Does not look up names in DNS."""
    match = re.fullmatch(r"(https?)://(\[[^]]*\]|[^:/]*)(?::([0-9]+))?(?:/.*)?", base_url)
    if not match:
        return None
    port = int(match[3] or _DEFAULT_PORTS[match[1]])
    host = match[2].strip("[]").lower().removesuffix(".")
    for bind in binds:
        if isinstance(bind, Address) and bind.port == port and _reaches(host, bind.host.lower()):
            return bind
    return None


def check_base_urls(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Raise UsageError for an option's base URL that leads to the bridge itself."""
    for option in OPTIONS:
        url = getattr(settings, option.name) if option.unit is BASE_URL else None
        if url and (own := leads_back(url, settings.addresses())):
            whose = "collector" if option.name == "otel_endpoint" else "provider"
            raise origins[option.name].usage_error(
                f"it leads to the bridge itself, on {own}", f"name the {whose}'s URL"
            )


def _reaches(host: str, bound: str) -> bool:
    """Whether connections to `host` reach a socket that is bound to `bound`."""
    if host == bound:
        return True
    everywhere = _is_unspecified(bound)
    if host == "localhost" or _is_unspecified(host):
        return everywhere or bound == "localhost" or is_loopback_address(bound)
    if bound == "localhost":
        return is_loopback_address(host)
    return everywhere and _is_here(host)


def _is_unspecified(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    """Whether this is the machine's own name or one of its addresses; only its own addresses can be bound."""
    if host in {socket.gethostname().lower(), socket.gethostname().lower().partition(".")[0]}:
        return True
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004 - IPv6
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (ValueError, OSError):
        return False
    return True
