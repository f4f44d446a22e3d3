"""The admin API: health, metrics, status, breaker overrides and reloads. It shares no limiter with the proxy."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.errors import ForbiddenOrigin
from aibridge_trio.events import (
    AdminRefused,
    Bug,
    Event,
    Handlers,
    LifecycleChanged,
    LimitChanged,
    Overridden,
    Publish,
    Reloaded,
    Transitioned,
)
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.router import Router
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.exposition_format import accepts_gzip, negotiate
from aibridge_trio.telemetry.metrics import Metrics
from aibridge_trio.telemetry.status import Status

_JSON = "application/json"
_WITHOUT_TOKEN = ("/healthz", "/readyz")
# Bounds on the body of an override, which is some twenty bytes long.
_MAX_BODY = 4096
_BODY_TIMEOUT = 5.0
# Time between two events of /status/stream (seconds).
_STREAM_INTERVAL = 1.0
# https, because a proxy in front of the listener may terminate TLS.
_SCHEMES = (b"http", b"https")


# Rereads the configuration at the wish of an operator at this address.
Reload = Callable[[str], Awaitable[Reloaded]]


class _Refused(Exception):
    """An error response: status, message and headers."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Admin:
    """Handles requests of the admin listener. `host` is its host; `token` is required for all but health."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        router: Router,
        metrics: Metrics,
        status: Status,
        publish: Publish,
        origins: Origins,
        host: str,
        token: Secret | None,
        reload: Reload | None = None,
    ) -> None:
        self._reload_with = reload
        self._lifecycle = lifecycle
        self._router = router
        self._metrics = metrics
        self._status = status
        self._publish = publish
        self._origins = origins
        self._host = host.lower()
        self._token = token
        self._changed = trio.Event()
        self.handlers: Handlers = dict.fromkeys(
            (Transitioned, Overridden, LimitChanged, LifecycleChanged), self._wake
        )

    def apply(self, token: Secret | None) -> None:
        """Require this token from now on."""
        self._token = token

    def _wake(self, _event: Event) -> None:
        """Make each /status/stream send an event at once."""
        self._changed.set()
        self._changed = trio.Event()

    async def handle(self, request: Request, reply: Reply) -> None:
        """Handle one request."""
        try:
            self._check_access(request)
            await self._route(request)(request, reply)
        except _Refused as refused:
            body = json.dumps({"message": refused.message}).encode()
            await reply.answer(refused.status, [(b"content-type", _JSON.encode()), *refused.headers], body)
        except Exception as error:  # noqa: BLE001 - a bug fails this request only
            self._publish(Bug.of(error))
            if not reply.started:
                await reply.answer(500, [], b"internal error\n")

    def _check_access(self, request: Request) -> None:
        """Raise for a foreign Host (DNS rebinding), a foreign web page, and a missing or wrong token."""
        own = {"localhost", self._host, (request.server or "").lower()} - {""}
        if _host_name(request.header(b"host") or b"") not in own and not self._origins.allows_host(request):
            self._publish(AdminRefused("host", request.client))
            raise _Refused(
                403, "Host is neither this listener's address nor its name; permit it with --allowed-hosts"
            )
        try:
            self._origins.check_page(request, schemes=_SCHEMES)
        except ForbiddenOrigin as forbidden:
            self._publish(AdminRefused("origin", request.client))
            raise _Refused(forbidden.status, forbidden.message) from None
        if self._token is None or request.path.decode("latin-1") in _WITHOUT_TOKEN:
            return
        scheme, _, token = (request.header(b"authorization") or b"").strip().partition(b" ")
        # Constant time: neither the token's length nor the matching part shows.
        same = hmac.compare_digest(_digest(token.strip()), _digest(self._token.reveal().encode()))
        if scheme.lower() != b"bearer" or not same:
            self._publish(AdminRefused("token", request.client))
            raise _Refused(
                401,
                "this listener requires its token: Authorization: Bearer TOKEN",
                (b"www-authenticate", b"Bearer"),
            )

    def _route(self, request: Request) -> Callable[[Request, Reply], Awaitable[None]]:
        path = request.path.decode("latin-1")
        handlers = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._show_metrics,
            "/status": self._show_status,
            "/status/stream": self._stream_status,
        }
        if path in handlers:
            if request.method not in ("GET", "HEAD"):
                raise _Refused(405, f"{path} answers GET", (b"allow", b"GET, HEAD"))
            return handlers[path]
        if path == "/reload" and self._reload_with:
            if request.method != "POST":
                raise _Refused(405, "/reload answers POST", (b"allow", b"POST"))
            return self._reload
        if path.startswith("/breakers/"):
            if request.method != "POST":
                raise _Refused(405, "/breakers/PROVIDER answers POST", (b"allow", b"POST"))
            return self._override
        raise _Refused(404, "not found")

    async def _healthz(self, _request: Request, reply: Reply) -> None:
        await _text(reply, 200, "ok\n")

    async def _readyz(self, _request: Request, reply: Reply) -> None:
        ready = self._lifecycle.phase == "serving"
        await _text(reply, 200 if ready else 503, "ready\n" if ready else f"{self._lifecycle.phase}\n")

    async def _show_metrics(self, request: Request, reply: Reply) -> None:
        form = negotiate(_header(request, b"accept"))
        gzip = accepts_gzip(_header(request, b"accept-encoding"))
        body = await self._metrics.scrape(form, gzip=gzip)
        headers = [(b"content-type", form.content_type.encode()), (b"vary", b"accept, accept-encoding")]
        await reply.answer(200, [*headers, (b"content-encoding", b"gzip")] if gzip else headers, body)

    async def _show_status(self, _request: Request, reply: Reply) -> None:
        await _json(reply, self._status.document())

    async def _stream_status(self, request: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
        while request.method == "GET":
            changed = self._changed
            await reply.send(b"event: status\ndata: %s\n\n" % json.dumps(self._status.document()).encode())
            with trio.move_on_after(_STREAM_INTERVAL):
                await changed.wait()
        await reply.end()

    async def _override(self, request: Request, reply: Reply) -> None:
        name = request.path.decode("latin-1").removeprefix("/breakers/")
        backend = self._router.get(name)
        if backend is None:
            known = ", ".join(each.name for each in self._router)
            raise _Refused(404, f"no such provider; there are {known}")
        if h.media_type(request.headers) != _JSON:
            raise _Refused(415, f"send {_JSON}")
        mode = _mode(await _body(request))
        if not backend.circuits.enabled:
            raise _Refused(409, "circuit breakers are off; start aibridge with --circuit-breaker")
        backend.circuits.override(mode, request.client)
        await _json(reply, {"provider": name, **self._status.breaker(backend)})

    async def _reload(self, request: Request, reply: Reply) -> None:
        assert self._reload_with
        result = await self._reload_with(request.client or "unix")
        if result.mistake is not None:
            raise _Refused(422, result.mistake)
        await _json(reply, {"changes": result.changes, "fixed": result.fixed})


async def _body(request: Request) -> bytes:
    body = b""
    with trio.move_on_after(_BODY_TIMEOUT):
        async for piece in request.body:
            body += piece
            if len(body) > _MAX_BODY:
                raise _Refused(413, "the body is too long")
        return body
    raise _Refused(408, "the body did not arrive in time")


def _mode(body: bytes) -> Mode:
    try:
        return Mode(json.loads(body)["mode"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _Refused(400, 'send {"mode": "open"}, {"mode": "close"} or {"mode": "auto"}') from None


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _host_name(host: bytes) -> str:
    """Return the host name in a Host header: lower-case, without port, brackets and trailing dot."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("[") and "]" in text:
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


def _header(request: Request, name: bytes) -> str:
    return b",".join(request.header_values(name)).decode("latin-1")


async def _text(reply: Reply, status: int, text: str) -> None:
    await reply.answer(status, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())


async def _json(reply: Reply, document: dict[str, Any]) -> None:
    await reply.answer(200, [(b"content-type", _JSON.encode())], json.dumps(document).encode())
