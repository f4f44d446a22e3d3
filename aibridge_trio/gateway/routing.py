"""From a request to its backend: the provider as configured, whose key is used, and the headers that are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import trio

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.key_pool import KeyStats
from aibridge_trio.errors import BadRequest, BodyTooLarge, NotFound, Reject
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.central_key import CentralKey
from aibridge_trio.gateway.keyed_request import OWN_KEY, KeyedRequest, OwnKeyRequest
from aibridge_trio.gateway.loop_detection import HOPS, Hops
from aibridge_trio.gateway.provider_circuits import ProviderCircuits
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Request
from aibridge_trio.providers import OPENAI, Dialect, Provider, Route, base_url_hints, lookup
from aibridge_trio.upstream.client import Upstream
from aibridge_trio.upstream.exchange import Outgoing

_OURS = frozenset({b"x-request-id", HOPS, h.TOKEN})
_ACCEPT_ENCODING = frozenset({b"accept-encoding"})
_NOBODY = Caller(b"", "", authenticated=False)


@dataclass(frozen=True, slots=True)
class Backend:
    """One provider as configured. Without a central `key` callers' own credentials are sent on as they came.

    Without an `adaptive` line no request is held. `headers` go up with every request, in place of a caller's.
    """

    provider: Provider
    upstream: Upstream
    circuits: ProviderCircuits
    adaptive: AdaptiveLine | None = None
    key: CentralKey | None = None
    forward_caller_keys: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def name(self) -> str:
        """The name in paths, labels and messages."""
        return self.provider.name

    async def run(self) -> None:
        """Run the timers of breakers, connections, line and keys, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.circuits.run)
            nursery.start_soon(self.upstream.run)
            if self.adaptive:
                nursery.start_soon(self.adaptive.run)
            if self.key and self.key.keys:
                nursery.start_soon(self.key.keys.run)

    def uses_central_key(self, caller: Caller) -> bool:
        """Return whether this caller's requests are sent with the central key."""
        return self.key is not None and not (self.forward_caller_keys and caller.authenticated)

    def keyed(self, caller: Caller, record: Record) -> OwnKeyRequest:
        """Return a request's way to the provider: with a central key, with its caller's own, or without any."""
        if self.key and self.key.keys and self.uses_central_key(caller):
            return KeyedRequest(self.key.keys, caller, record)
        return OWN_KEY

    def key_statistics(self) -> tuple[KeyStats, ...]:
        """Return the state of each central key."""
        return self.key.keys.statistics() if self.key and self.key.keys else ()

    def uses_own_key(self, caller: Caller) -> bool:
        """Return whether this caller's requests are sent with its own key, not the central one or none."""
        return caller.authenticated and not self.uses_central_key(caller)


@dataclass(frozen=True, slots=True)
class Ping:
    """A request of `/` or a bare prefix, which clients make before others; the bridge itself answers it."""

    name: str = "none"

    pattern: ClassVar[str] = "other"

    def precheck(self, request: Request, caller: Caller, max_body: int) -> None:
        """Do nothing: no check but the limits can reject a ping."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: its backend, its route, and its path after the prefix."""

    backend: Backend
    route: Route
    path: bytes
    hops: Hops

    @property
    def name(self) -> str:
        """The provider backend's name."""
        return self.backend.name

    @property
    def pattern(self) -> str:
        """The route's pattern."""
        return self.route.pattern

    def uses_central_key(self, caller: Caller) -> bool:
        """Return whether this caller's request is sent with the central key."""
        return self.backend.uses_central_key(caller)

    def encoded(self, request: Request) -> bool:
        """Return whether the body has a content coding."""
        return any(coding.strip().lower() != b"identity" for coding in request.header_values(b"content-encoding"))

    def precheck(self, request: Request, caller: Caller, max_body: int) -> None:
        """Raise the reject that it is certain to get, before it queues and before its body is read."""
        backend = self.backend
        by_model = self.route.intercepted and backend.circuits.by_model
        if backend.key and backend.key.keys and backend.uses_central_key(caller) and not by_model:
            backend.key.keys.check(self.key_scope(None))
        backend.circuits.precheck(self.route, caller, own_key=backend.uses_own_key(caller))
        _framing(request, max_body)

    def key_scope(self, model: str | None) -> str | None:
        """Return for which part of the provider a key rests: a breaker's, or a route that is passed through."""
        return self.backend.circuits.scope_of(self.route, model) if self.route.intercepted else self.route.pattern

    def outgoing(self, request: Request, caller: Caller, request_id: bytes, max_body: int) -> Outgoing:
        """Return the request to send; raises BodyTooLarge or BadRequest for its framing."""
        length, chunked = _framing(request, max_body)
        drop = _OURS
        added: h.Headers = [(b"x-request-id", request_id), self.hops.mark(request)]
        if self.route.intercepted:  # so that the answer can be inspected
            drop |= _ACCEPT_ENCODING
            added.append((b"accept-encoding", b"identity"))
        headers = h.end_to_end(request.headers, drop)
        if self.backend.uses_central_key(caller):
            assert self.backend.key is not None
            headers = self.backend.key.headers(headers)
        if self.backend.headers:
            replaced = dict(self.backend.headers)
            headers = [header for header in headers if header[0].lower() not in replaced]
            headers += self.backend.headers
        return Outgoing(
            method=request.method,
            target=self.path + (b"?" + request.query if request.query else b""),
            headers=[*headers, *added],
            body=request.body,
            length=length,
            chunked=chunked,
            max_body=max_body,
        )


class Router:
    """All configured providers, by path."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = {backend.name: backend for backend in backends}
        self.hops = Hops()

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._backends.values())

    def get(self, name: str) -> Backend | None:
        """Return a backend by its name."""
        return self._backends.get(name)

    def is_ping(self, request: Request) -> bool:
        """Return whether a request is one that the bridge itself answers with 200."""
        if request.method not in ("GET", "HEAD"):
            return False
        try:
            return isinstance(self.match(request, _NOBODY), Ping)
        except Reject:
            return False

    def dialect(self, request: Request) -> Dialect:
        """Return the dialect of a request's rejects: by its path's first segment, OpenAI's for unknown ones."""
        backend = self._backends.get(lookup.first_segment(request.path))
        return backend.provider.dialect_at(request.path) if backend else OPENAI.dialect

    def match(self, request: Request, caller: Caller) -> Target | Ping:
        """Return where a request goes; raises BadRequest, MethodNotAllowed or NotFound."""
        method, path = request.method, request.path
        try:
            slash = lookup.check_target(method, path)
        except BadRequest as refused:
            raise BadRequest(_with(refused.message, self._hint(method, path))) from None
        if path == b"/" and method in ("GET", "HEAD"):
            return Ping()
        known = (backend.provider for backend in self._backends.values())
        found = lookup.find(known, method, path, slash=slash)
        if found is None:
            raise NotFound(method, path.decode("latin-1"), self._hint(method, path))
        provider, route, rest = found
        if route is None:
            return Ping(provider.name)
        backend = self._backends[provider.name]
        if route.own_key and backend.uses_central_key(caller):
            raise NotFound(
                method, path.decode("latin-1"), "it shows stored data, and is served for callers' own keys only"
            )
        return Target(backend, route, rest, self.hops)

    def _hint(self, method: str, path: bytes) -> str | None:
        known = (backend.provider for backend in self._backends.values())
        return base_url_hints.hint(known, method, path.decode("latin-1"))


def _with(message: str, hint: str | None) -> str:
    return f"{message}; {hint}" if hint else message


def _framing(request: Request, max_body: int) -> tuple[int | None, bool]:
    """Return the announced length and whether the body is chunked; a request without a body has neither."""
    encodings = request.header_values(b"transfer-encoding")
    try:
        length = h.content_length(request.header_values(b"content-length"))
    except ValueError:
        raise BadRequest("malformed Content-Length") from None
    if encodings and length is not None:
        raise BadRequest("both Content-Length and Transfer-Encoding")
    if length is not None and length > max_body:
        raise BodyTooLarge(max_body)
    return length, bool(encodings)
