"""A router with the three providers, and requests to match."""

from __future__ import annotations

import httpx

from aibridge_trio.core.caller import Caller
from aibridge_trio.gateway.central_key import central_key
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Backend, Local, ModelPath, Target
from aibridge_trio.http.message import Request
from aibridge_trio.providers import ALL, Provider
from aibridge_trio.server.asgi import AsgiBody
from aibridge_trio.upstream.client import Timeouts, Upstream
from tests.support.keys import keys_of

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
READ = ["GET", "HEAD"]
KNOWN = Caller(b"key", "…wxyz", authenticated=True)
ANONYMOUS = Caller(b"address", "203.0.113.7", authenticated=False)


def request(method: str, path: bytes, *headers: tuple[bytes, bytes]) -> Request:
    return Request(method, path, b"", list(headers), "203.0.113.7", None, AsgiBody())


def router_of(key: str | None = None, *, forward: bool = False) -> Router:
    """Return the three backends, with a central key (Copilot has none) or without."""

    def backend(provider: Provider) -> Backend:
        transport = httpx.MockTransport(lambda _: httpx.Response(200))
        return Backend(
            provider=provider,
            upstream=Upstream("https://upstream.test", transport, Timeouts()),
            circuits=ProviderCircuits(provider, CircuitRules(), lambda: 0.0, lambda _: None, lambda: 0.0),
            key=central_key(keys_of(key, provider=provider), {}, lambda _: None)
            if key and provider.credential
            else None,
            forward_caller_keys=forward,
        )

    return Router([backend(provider) for provider in ALL])


ROUTER = router_of()


def match(method: str, path: str, caller: Caller = KNOWN) -> Target | ModelPath | Local:
    return ROUTER.match(request(method, path.encode("latin-1")), caller)


def check_allowed(provider: str, prefix: str, method: str, rest: str, *, intercepted: bool) -> None:
    """Check that a request is matched to its provider, with the path after the prefix as it came."""
    target = match(method, prefix + rest)
    assert isinstance(target, Target)
    assert target.backend.name == provider
    assert target.path == rest.encode()
    assert target.route.intercepted == intercepted
