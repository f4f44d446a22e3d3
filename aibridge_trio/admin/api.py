"""The admin API: health, metrics, status, breaker overrides and reloads. It shares no limiter with the proxy."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import unquote

import trio

from aibridge_trio.admin import override_order
from aibridge_trio.admin.access import Access, Refusal
from aibridge_trio.admin.override_order import OverrideOrder
from aibridge_trio.config.settings import Secret
from aibridge_trio.events import (
    Bug,
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
from aibridge_trio.printable import visible
from aibridge_trio.process.audit import Audited, Shown
from aibridge_trio.telemetry.exposition_format import TextFormat, accepts_gzip, negotiate
from aibridge_trio.telemetry.metrics import Metrics
from aibridge_trio.telemetry.recent_requests import RecentRequests
from aibridge_trio.telemetry.status import Status

_JSON = "application/json"
_REQUESTS = "/requests"
# Characters of a provider's name in the audit log.
_LONGEST_TARGET = 64
# Bounds on the body of an override, which is some twenty bytes long.
_MAX_BODY = 4096
_BODY_TIMEOUT = 5.0
# Time between two events of /status/stream (seconds).
_STREAM_INTERVAL = 1.0


# Rereads the configuration at the wish of an operator at this address.
Reload = Callable[[str], Awaitable[Reloaded]]


class Api(ABC):
    """Handles requests of the admin listener. `host` is its host; `token` is required for all but health."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        publish: Publish,
        origins: Origins,
        host: str,
        token: Secret | None,
        reload: Reload | None = None,
    ) -> None:
        self._reload_with = reload
        self._lifecycle = lifecycle
        self._publish = publish
        self._access = Access(origins=origins, host=host, token=token, publish=publish)
        self._changed = trio.Event()
        self.handlers: Handlers = dict.fromkeys(
            (Transitioned, Overridden, LimitChanged, LifecycleChanged), lambda _: self.wake()
        )

    def apply(self, token: Secret | None) -> None:
        """Require this token from now on."""
        self._access.token = token

    def wake(self) -> None:
        """Make each /status/stream send an event at once."""
        self._changed.set()
        self._changed = trio.Event()

    @abstractmethod
    async def _scrape(self, form: TextFormat, *, gzip: bool) -> bytes:
        """Return all metrics."""

    @abstractmethod
    async def _document(self) -> dict[str, Any]:
        """Return the status document."""

    @abstractmethod
    async def _find(self, request_id: str | None) -> list[dict[str, Any]]:
        """Return all that is kept of a request's id, explained; of None the latest refused ones."""

    @abstractmethod
    async def _override(self, request: Request, reply: Reply) -> str:
        """Override a provider's breaker; return what was ordered, as text."""

    async def _override_audited(self, request: Request, reply: Reply) -> None:
        detail, outcome = "", "failed"
        try:
            detail = await self._override(request, reply)
            outcome = "done"
        except Refusal as refused:
            outcome = f"refused: {refused.message}"
            raise
        finally:
            self._audit("override", request, detail, outcome)

    def _audit(self, action: Literal["override", "reload"], request: Request, detail: str, outcome: str) -> None:
        target = request.path.decode("latin-1").removeprefix("/breakers/") if action == "override" else None
        by: Shown = "admin token" if self._access.token else "no token"
        self._publish(
            Audited(action, target and visible(target, _LONGEST_TARGET), detail, by, request.client, outcome)
        )

    async def handle(self, request: Request, reply: Reply) -> None:
        """Handle one request."""
        try:
            self._access.check(request)
            await self._route(request)(request, reply)
        except Refusal as refused:
            body = json.dumps({"message": refused.message}).encode()
            await reply.answer(refused.status, [(b"content-type", _JSON.encode()), *refused.headers], body)
        except Exception as error:  # noqa: BLE001 - a bug fails this request only
            self._publish(Bug.of(error))
            if not reply.started:
                await reply.answer(500, [], b"internal error\n")

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
                raise Refusal(405, f"{path} answers GET", (b"allow", b"GET, HEAD"))
            return handlers[path]
        if path == "/reload" and self._reload_with:
            if request.method != "POST":
                raise Refusal(405, "/reload answers POST", (b"allow", b"POST"))
            return self._reload
        if path == _REQUESTS or path.startswith(f"{_REQUESTS}/"):
            if request.method not in ("GET", "HEAD"):
                raise Refusal(405, f"{_REQUESTS} answers GET", (b"allow", b"GET, HEAD"))
            return self._show_requests
        if path.startswith("/breakers/"):
            if request.method != "POST":
                raise Refusal(405, "/breakers/PROVIDER answers POST", (b"allow", b"POST"))
            return self._override_audited
        raise Refusal(404, "not found")

    async def _healthz(self, _request: Request, reply: Reply) -> None:
        await _text(reply, 200, "ok\n")

    async def _readyz(self, _request: Request, reply: Reply) -> None:
        ready = self._lifecycle.phase == "serving"
        await _text(reply, 200 if ready else 503, "ready\n" if ready else f"{self._lifecycle.phase}\n")

    async def _show_metrics(self, request: Request, reply: Reply) -> None:
        form = negotiate(_header(request, b"accept"))
        gzip = accepts_gzip(_header(request, b"accept-encoding"))
        body = await self._scrape(form, gzip=gzip)
        headers = [(b"content-type", form.content_type.encode()), (b"vary", b"accept, accept-encoding")]
        await reply.answer(200, [*headers, (b"content-encoding", b"gzip")] if gzip else headers, body)

    async def _show_status(self, _request: Request, reply: Reply) -> None:
        await _json(reply, await self._document())

    async def _show_requests(self, request: Request, reply: Reply) -> None:
        request_id = unquote(request.path.decode("latin-1").removeprefix(_REQUESTS).removeprefix("/"))
        found = await self._find(request_id or None)
        if request_id and not found:
            raise Refusal(404, "no request with this id is kept; the log may still have it")
        await _json(reply, {"requests": found})

    async def _stream_status(self, request: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
        while request.method == "GET":
            changed = self._changed
            document = json.dumps(await self._document()).encode()
            await reply.send(b"event: status\ndata: %s\n\n" % document)
            with trio.move_on_after(_STREAM_INTERVAL):
                await changed.wait()
        await reply.end()

    async def _reload(self, request: Request, reply: Reply) -> None:
        assert self._reload_with
        result = await self._reload_with(request.client or "unix")
        self._audit("reload", request, "; ".join(result.changes), result.mistake or "done")
        if result.mistake is not None:
            raise Refusal(422, result.mistake)
        await _json(reply, {"changes": result.changes, "fixed": result.fixed})


class Admin(Api):
    """The admin API of one bridge; `more` is what every API has."""

    def __init__(
        self, *, router: Router, metrics: Metrics, status: Status, recent: RecentRequests, **more: Any
    ) -> None:
        super().__init__(**more)
        self._router = router
        self._metrics = metrics
        self._status = status
        self._recent = recent

    async def _find(self, request_id: str | None) -> list[dict[str, Any]]:
        await trio.lowlevel.checkpoint()
        return self._recent.refused() if request_id is None else self._recent.find(request_id)

    async def _scrape(self, form: TextFormat, *, gzip: bool) -> bytes:
        return await self._metrics.scrape(form, gzip=gzip)

    async def _document(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return self._status.document()

    async def _override(self, request: Request, reply: Reply) -> str:
        name = request.path.decode("latin-1").removeprefix("/breakers/")
        backend = self._router.get(name)
        if backend is None:
            known = ", ".join(each.name for each in self._router)
            raise Refusal(404, f"no such provider; there are {known}")
        if h.media_type(request.headers) != _JSON:
            raise Refusal(415, f"send {_JSON}")
        order = _order(await read_body(request))
        if not backend.circuits.enabled:
            raise Refusal(409, "circuit breakers are off; start aibridge with --circuit-breaker")
        backend.circuits.override(order.mode, request.client, seconds=order.seconds, reason=order.reason)
        await _json(reply, {"provider": name, **self._status.breaker(backend)})
        return order.words


async def read_body(request: Request) -> bytes:
    """Return the body of a request; raises Refusal for one that is too long or late."""
    body = b""
    with trio.move_on_after(_BODY_TIMEOUT):
        async for piece in request.body:
            body += piece
            if len(body) > _MAX_BODY:
                raise Refusal(413, "the body is too long")
        return body
    raise Refusal(408, "the body did not arrive in time")


def _order(body: bytes) -> OverrideOrder:
    try:
        return override_order.read(body)
    except ValueError as mistake:
        raise Refusal(400, str(mistake)) from None


def _header(request: Request, name: bytes) -> str:
    return b",".join(request.header_values(name)).decode("latin-1")


async def _text(reply: Reply, status: int, text: str) -> None:
    await reply.answer(status, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())


async def _json(reply: Reply, document: dict[str, Any]) -> None:
    await reply.answer(200, [(b"content-type", _JSON.encode())], json.dumps(document).encode())
