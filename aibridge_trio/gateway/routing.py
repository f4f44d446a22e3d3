"""Where a request goes: the provider as configured, whose key is used, and the headers that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, final

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.key_pool import KeyStats
from aibridge_trio.core.sharing.needs import Holding
from aibridge_trio.errors import BadRequest, BodyTooLarge, CircuitOpen, ModelNotRouted, Reject
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.central_key import CentralKey
from aibridge_trio.gateway.keyed_request import OWN_KEY, KeyedRequest, OwnKeyRequest
from aibridge_trio.gateway.loop_detection import HOPS, Hops
from aibridge_trio.gateway.model_routes import ModelRoutes
from aibridge_trio.gateway.provider_circuits import ProviderCircuits
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Request
from aibridge_trio.providers import Provider, Route
from aibridge_trio.upstream.client import Upstream
from aibridge_trio.upstream.exchange import Outgoing

if TYPE_CHECKING:
    from aibridge_trio.gateway.head_facts import HeadFacts

_OURS = frozenset({b"x-request-id", HOPS, h.TOKEN})
_ACCEPT_ENCODING = frozenset({b"accept-encoding"})


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

    def uses_central_key(self, caller: Caller) -> bool:
        """Return whether this caller's requests are sent with the central key."""
        return self.key is not None and not (self.forward_caller_keys and caller.authenticated)

    def keeps_keys_for(self, caller: Caller) -> bool:
        """Return whether this caller's requests are sent with a key of the provider's pool."""
        return bool(self.key and self.key.keys) and self.uses_central_key(caller)

    def keyed(self, caller: Caller, record: Record) -> OwnKeyRequest:
        """Return a request's way to the provider: with a central key, with its caller's own, or without any."""
        keys = self.key.keys if self.key and self.keeps_keys_for(caller) else None
        return KeyedRequest(keys, caller, record) if keys else OWN_KEY

    def key_statistics(self) -> tuple[KeyStats, ...]:
        """Return the state of each central key."""
        return self.key.keys.statistics() if self.key and self.key.keys else ()

    def uses_own_key(self, caller: Caller) -> bool:
        """Return whether this caller's requests are sent with its own key, not the central one or none."""
        return caller.authenticated and not self.uses_central_key(caller)


@dataclass(frozen=True, slots=True)
class Local:
    """A request that the bridge itself answers, with this JSON."""

    name: str = "none"
    body: bytes = b'{"name":"aibridge"}\n'

    pattern: ClassVar[str] = "other"

    @property
    def share(self) -> str:
        """The provider of whose limit the request takes a share."""
        return self.name

    def precheck(self, request: Request, caller: Caller, max_body: int) -> None:
        """Do nothing: no check but the limits can reject it."""

    def probe_need(self, caller: Caller, model: str | None) -> None:
        """Do nothing: no breaker decides about it."""

    def probe_reject(self, caller: Caller, model: str | None) -> Reject:
        """Never called; see Target."""
        raise NotImplementedError


class Ping(Local):
    """A request of `/` or a bare prefix, which clients make before others."""

    __slots__ = ()


class ModelList(Local):
    """`GET /v1/models`, or one model of it."""

    __slots__ = ()


@final
@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: its backend, its route, and its path after the prefix.

    `name` is the provider's, of whose limit the request takes a `share`; `pattern` is the route's.
    """

    backend: Backend
    route: Route
    path: bytes
    hops: Hops
    name: str = field(init=False)
    share: str = field(init=False)
    pattern: str = field(init=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("name", self.backend.name),
            ("share", self.backend.name),
            ("pattern", self.route.pattern),
        ):
            object.__setattr__(self, name, value)

    @property
    def by_model(self) -> bool:
        """Whether the request's model decides about it."""
        return self.route.intercepted and self.backend.circuits.by_model

    def uses_central_key(self, caller: Caller) -> bool:
        """Return whether this caller's request is sent with the central key."""
        return self.backend.uses_central_key(caller)

    def encoded(self, request: Request) -> bool:
        """Return whether the body has a content coding."""
        return _encoded(request)

    def precheck(self, request: Request, caller: Caller, max_body: int, model: str | None = None) -> None:
        """Raise the reject that a request is certain to get; `model` is None before its body is read."""
        self.check_provider(caller, model)
        _framing(request, max_body)

    def check_provider(self, caller: Caller, model: str | None = None) -> None:
        """Raise the reject that a request is certain to get from keys or breakers; see `precheck`."""
        backend = self.backend
        decided = model is not None or not self.by_model
        line = backend.adaptive
        holds = line is not None and not line.shadow and self.route.intercepted  # until a key is back
        if backend.key and backend.key.keys and backend.uses_central_key(caller) and decided and not holds:
            backend.key.keys.check(self.key_scope(model))
        backend.circuits.precheck(self.route, caller, model, own_key=backend.uses_own_key(caller))

    def probe_need(self, caller: Caller, model: str | None) -> Holding | None:  # noqa: ARG002 - a hook
        """Return what the request needs of the store if it is a probe of its breaker, else None."""
        return None

    def probe_reject(self, caller: Caller, model: str | None) -> Reject:  # noqa: ARG002 - a hook
        """Return the reject of a request that would be a probe when other replicas probe already."""
        return CircuitOpen(self.name, "failures", 1.0)

    def key_scope(self, model: str | None) -> str | None:
        """Return for which part of the provider a key rests: a breaker's, or a route that is passed through."""
        return self.backend.circuits.scope_of(self.route, model) if self.route.intercepted else self.route.pattern

    def headers_up(self, request: Request, caller: Caller) -> h.Headers:
        """Return the headers that go up, but for the request's id, its key and its framing."""
        drop = _OURS
        added: h.Headers = [self.hops.mark(request)]
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
        return [*headers, *added]

    def outgoing(
        self,
        request: Request,
        caller: Caller,
        request_id: bytes,
        max_body: int,
        facts: HeadFacts | None = None,
    ) -> Outgoing:
        """Return the request to send, with what is known of its head; raises BodyTooLarge or BadRequest."""
        sized = facts is not None and facts.sized
        length, chunked = _length(request, max_body) if sized else _framing(request, max_body)
        headers = self.headers_up(request, caller) if facts is None else facts.headers
        outgoing = Outgoing(
            method=request.method,
            target=self.path + b"?" + request.query if request.query else self.path,
            headers=[*headers, (b"x-request-id", request_id)],
            body=request.body,
            length=length,
            chunked=chunked,
            max_body=max_body,
            from_caller=request.body,
        )
        if facts is not None and facts.base is not None:
            outgoing.base, outgoing.lines = facts.base, b"%bx-request-id: %b\r\n" % (facts.lines, request_id)
        return outgoing


@final
@dataclass(frozen=True, slots=True)
class ModelPath:
    """A request beneath the base URL /v1: the model in its body decides where it goes.

    `route` is the row of the first provider that serves the path, `found` is what each one has for it.
    """

    route: Route
    path: str
    found: Mapping[str, Target]
    routes: ModelRoutes

    name: ClassVar[str] = "none"
    pattern: ClassVar[str] = "other"
    share: ClassVar[str] = ""
    by_model: ClassVar[bool] = True

    def uses_central_key(self, caller: Caller) -> bool:  # noqa: ARG002 - of Target
        """Return False: that depends on the provider."""
        return False

    def encoded(self, request: Request) -> bool:
        """Return whether the body has a content coding."""
        return _encoded(request)

    def precheck(self, request: Request, caller: Caller, max_body: int) -> None:  # noqa: ARG002 - of Target
        """Raise the reject of a wrong framing."""
        _framing(request, max_body)

    def check_provider(self, caller: Caller) -> None:
        """Do nothing: the provider follows from the body."""

    def outgoing(self, request: Request, caller: Caller, request_id: bytes, max_body: int) -> Outgoing:  # noqa: ARG002 - of Target
        """Return the request as it came, for its body to be read; raises BodyTooLarge or BadRequest."""
        length, chunked = _framing(request, max_body)
        target, headers = request.path, request.headers
        return Outgoing(request.method, target, headers, request.body, length, chunked, max_body)

    def targets(self, model: str | None, caller: Caller) -> list[Target]:
        """Return where a request of this model may go, in the order of its route.

        A caller's own key goes to the first provider that takes own keys, and to no other: it may be that one's
        only. Raises BadRequest without a model, and ModelNotRouted.
        """
        if model is None:
            raise BadRequest("the body names no model, and its provider follows from the model")
        table = self.routes.find(model)
        if table is None:
            raise ModelNotRouted(model)
        found = [self.found[name] for name in table.providers if name in self.found]
        if not found:
            raise ModelNotRouted(model, self.path)
        own = [target for target in found if target.backend.uses_own_key(caller)]
        return [target for target in found if target not in own[1:]]


def _encoded(request: Request) -> bool:
    codings = request.header_values(b"content-encoding")
    return bool(codings) and any(coding.strip().lower() != b"identity" for coding in codings)


def _length(request: Request, max_body: int) -> tuple[int, bool]:
    """Return what `_framing` does, for a request that is known to have one Content-Length and nothing else."""
    if (length := int(request.header(b"content-length") or 0)) > max_body:
        raise BodyTooLarge(max_body)
    return length, False


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
