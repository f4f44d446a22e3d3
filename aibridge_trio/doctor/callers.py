"""What callers will see: base URLs for their SDKs, TLS, tokens and keys, limits in words."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

from aibridge_trio.config.provider_tables import ProviderTable, effective
from aibridge_trio.config.settings import Bind, Settings, UnixSocket
from aibridge_trio.doctor.finding import Finding
from aibridge_trio.providers import instance

_ROUTES = "/v1"


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each base URL, and one for tokens, TLS and limits each."""
    for table in effective(settings):
        prefix = instance(table.name, table.dialect, table.key_header).prefix
        yield _seen(f"{table.name} at {_urls(settings, prefix)}", _keys(settings, table))
    if settings.routes:
        yield _seen(f"models at {_urls(settings, _ROUTES)}", "the model decides about the provider")
    yield _seen("token", _tokens(settings))
    yield _seen("TLS", _tls(settings))
    yield _seen("limits", ", ".join(settings.protections()) or "none is on")


def _seen(where: str, text: str) -> Finding:
    return Finding("ok", "callers", where, text)


def _urls(settings: Settings, path: str) -> str:
    scheme = "https" if settings.tls_cert else "http"
    return ", ".join(_url(scheme, bind, path) for bind in settings.bind)


def _url(scheme: str, bind: Bind, path: str) -> str:
    if isinstance(bind, UnixSocket):
        return f"{bind} {path}"
    try:
        anywhere = ip_address(bind.host).is_unspecified
    except ValueError:
        anywhere = False
    where = f"{socket.gethostname()}:{bind.port}" if anywhere else str(bind)
    return f"{scheme}://{where}{path}"


def _keys(settings: Settings, table: ProviderTable) -> str:
    if table.keyless:
        return "no key is needed"
    if not table.keys:
        return "with their own key"
    forwards = settings.forward_caller_keys if table.forward_caller_keys is None else table.forward_caller_keys
    return "the bridge adds the key" + (", unless they send their own" if forwards else "")


def _tokens(settings: Settings) -> str:
    if settings.callers_required:
        return "each needs its token; without one it gets 401"
    return "of known callers; others need none" if settings.known_callers else "none is needed"


def _tls(settings: Settings) -> str:
    if settings.tls_cert:
        return "yes; clients have to trust the certificate's authority"
    if outside := settings.exposed():
        return f"no: keys and tokens cross the network to {outside} in clear text, unless a proxy in front has it"
    return "no, and only programs on this machine connect"
