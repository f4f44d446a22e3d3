"""Calls each provider once for each central key, or once without one; of an answer only the head is read."""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import trio

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, base_url_label, effective
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.breaker.retry_after import http_date
from aibridge_trio.doctor.finding import Finding, Level
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.net.fault_causes import chain
from aibridge_trio.providers import Provider, instance
from aibridge_trio.upstream.client import Timeouts, TransportFactory, Upstream
from aibridge_trio.upstream.exchange import Outgoing

# How many calls are made at once at most.
_AT_ONCE = 16
_NO_SUCH_ROUTE = (404, 405)
_SUCCESS, _REDIRECTION, _CLIENT_ERROR, _SERVER_ERROR = 200, 300, 400, 500


@dataclass(slots=True)
class ProviderCalls:
    """The calls. `timeout` (seconds) bounds each; `wall_clock` is Unix time.

    `offsets` has this clock minus a provider's (seconds), of each answer with a date.
    """

    settings: Settings
    transport: TransportFactory
    timeout: float
    wall_clock: Callable[[], float]
    offsets: list[float] = field(default_factory=list)
    _turns: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(_AT_ONCE))

    async def run(self) -> list[Finding]:
        """Return the findings of all providers, in their order."""
        tables = effective(self.settings)
        found: dict[str, list[Finding]] = {}

        async def one(table: ProviderTable) -> None:
            found[table.name] = await self._examine(table)

        async with trio.open_nursery() as nursery:
            for table in tables:
                nursery.start_soon(one, table)
        return [finding for table in tables for finding in found[table.name]]

    async def _examine(self, table: ProviderTable) -> list[Finding]:
        """Return the findings of one provider: one if it is not reached, else one for each key."""
        proxy = self.settings.proxy_for(table.base_url)
        infinite = Timeouts(math.inf, math.inf, math.inf, math.inf)  # the deadline of a call is its own
        upstream = Upstream(table.base_url, self.transport(proxy.reveal() if proxy else None), infinite)
        provider = instance(table.name, table.dialect, table.key_header)
        keys = table.keys if provider.credential else ()
        found: list[Finding | None] = [None] * max(1, len(keys))

        async def one(number: int) -> bool:
            key = keys[number] if keys else None
            found[number], reached = await self._call(upstream, provider, table, key)
            return reached

        try:
            if await one(0):
                async with trio.open_nursery() as nursery:
                    for number in range(1, len(keys)):
                        nursery.start_soon(one, number)
        finally:
            with trio.move_on_after(1, shield=True):
                await upstream.aclose()
        return [finding for finding in found if finding]

    async def _call(
        self, upstream: Upstream, provider: Provider, table: ProviderTable, key: KeyTable | None
    ) -> tuple[Finding, bool]:
        """Return the finding of one call, and whether there was an answer."""
        where = f"{table.name} {table.base_url}"
        proxied = " through the proxy" if self.settings.proxy_for(table.base_url) else ""
        connected = False

        def on_connected() -> None:
            nonlocal connected
            connected = True

        outgoing = Outgoing(
            "GET",
            provider.model_list.encode(),
            self._headers(provider, table, key),
            _nothing(),
            length=None,
            chunked=False,
            max_body=0,
        )
        async with self._turns:
            started = trio.current_time()
            with trio.move_on_after(self.timeout):
                try:
                    async with upstream.send(outgoing, on_connected) as response:
                        taken = trio.current_time() - started
                        self._note_time(response.head)
                        level, text, remedy = _verdict(response.head.status, table, key)
                        tls = ", TLS and certificate valid" if table.base_url.startswith("https:") else ""
                        reached = f"reached{proxied} in {1000 * taken:.0f} ms{tls}"
                        return Finding(level, "provider", where, f"{reached}; {text}", remedy), True
                except UpstreamFault as fault:
                    label = base_url_label(self.settings, table)
                    text, remedy = _why(fault, label, proxied=bool(proxied))
                    return Finding("error", "provider", where, f"not reached{proxied}: {text}", remedy), False
        waited = f"no {'answer' if connected else 'connection'}{proxied} within {self.timeout:g} s"
        remedy = "look at the provider's status page" if connected else _CHECK_THE_WAY
        return Finding("error", "provider", where, waited, remedy), False

    def _headers(self, provider: Provider, table: ProviderTable, key: KeyTable | None) -> Headers:
        """Return what serve would send beside a caller's headers."""
        headers: Headers = [(b"accept", b"application/json"), (b"user-agent", b"aibridge-doctor")]
        configured = {name.encode() for name, _ in table.headers}
        headers += [each for each in provider.required if each[0] not in configured]
        headers += [(name.encode(), value.encode()) for name, value in table.headers]
        if key and provider.credential:
            account = {name.replace("_", "-"): getattr(self.settings, name) for name in provider.account}
            headers += [(name.encode(), value.encode()) for name, value in account.items() if value]
            headers.append(provider.credential(key.secret.reveal()))
        return headers

    def _note_time(self, head: ResponseHead) -> None:
        text = next((value for name, value in head.headers if name.lower() == b"date"), b"")
        moment = http_date(text.decode("latin-1"))
        if moment is not None:
            self.offsets.append(self.wall_clock() - moment)


_CHECK_THE_WAY = "check the base URL, the firewall, and whether a proxy is needed (--upstream-proxy)"


def _verdict(status: int, table: ProviderTable, key: KeyTable | None) -> tuple[Level, str, str]:
    """Return level, text and remedy of an answer."""
    answered = f"answers {status}"
    if status >= _SERVER_ERROR:
        return "error", answered, "look at the provider's status page"
    if status in _NO_SUCH_ROUTE:
        return (
            "warning",
            f"{answered} to its list of models{', so the key was not tried' if key else ''}",
            "check the base URL; some compatible providers have no such list",
        )
    if _REDIRECTION <= status < _CLIENT_ERROR:
        return "warning", f"{answered}, a redirect, which callers would get", "check the base URL"
    return _of_key(status, answered, key) if key else _without_key(status, answered, table)


def _of_key(status: int, answered: str, key: KeyTable) -> tuple[Level, str, str]:
    if _SUCCESS <= status < _REDIRECTION:
        return "ok", f"the key {key.label} is accepted", ""
    said = f"{answered} for the key {key.label}"
    match status:
        case 401:
            return "error", f"{said}: it is not accepted", f"put a valid key into {key.label}"
        case 402:
            return "error", f"{said}: there is no credit", "pay, or take another key"
        case 403:
            return "warning", f"{said}: it is refused, or may not list models", "look at its permissions"
        case 429:
            return "warning", f"{said}: too many requests, or its quota is spent", "look at its usage"
    return "warning", f"{said}, so the key was not tried", "check the base URL and the headers of the table"


def _without_key(status: int, answered: str, table: ProviderTable) -> tuple[Level, str, str]:
    if not table.keyless:
        return "ok", "no central key: callers bring their own", ""
    if _SUCCESS <= status < _REDIRECTION:
        return "ok", "it needs no key", ""
    return "warning", f'{answered} without a key, and the table says key = "none"', "give the table a key"


def _why(fault: UpstreamFault, label: str, *, proxied: bool) -> tuple[str, str]:
    """Return why a provider was not reached, and what to do."""
    causes = tuple(chain(fault))
    if any(isinstance(each, socket.gaierror) for each in causes):
        return f"DNS: {fault.detail}", f"check the host's name in {label}, and this machine's DNS"
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return fault.detail, "name the authority with --upstream-ca if it is yours; check the clock"
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return fault.detail, f"check {label}: is TLS served there?"
    return str(fault), "check the proxy" if proxied else _CHECK_THE_WAY


async def _nothing() -> AsyncIterator[bytes]:
    """A request's body without a piece."""
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece
    await trio.lowlevel.checkpoint()
