"""Which web pages may use a listener, by the Host, Origin and Sec-Fetch-Site that browsers send. Pure.

A browser lets any page send a plain POST to this machine, and after DNS rebinding (the page's own host name
resolves to this machine) any request. Programs that are no browsers send neither Origin nor Sec-Fetch-Site.

https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from aibridge_trio.config.addresses import is_loopback_address
from aibridge_trio.errors import ForbiddenOrigin
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.printable import quoted

_AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[^:\[\]@]+?)\.?(:[0-9]*)?")
# Values of Host whose meaning is kept: so many, of at most so many bytes.
_HOSTS_KEPT, _LONGEST_KEPT = 256, 256
_NO_OTHER_SITE = frozenset({b"same-origin", b"none"})
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
# The header names that a preflight asks for.
_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
# How long (seconds) a browser may cache a preflight's answer; browsers cap it at two hours.
_MAX_AGE = b"600"
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_EXPOSED = (
    b"x-request-id, x-aibridge-reject, x-should-retry, retry-after, retry-after-ms, x-ratelimit-limit, "
    b"x-ratelimit-remaining, x-ratelimit-reset, *"
)


class Origins:
    """Checks browsers' requests: `hosts` are the listener's names besides loopback, `origins` allowed pages."""

    def __init__(self, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self.apply(hosts, origins)

    def apply(self, hosts: Collection[str], origins: Collection[str]) -> None:
        """Check with these from now on."""
        self._hosts = frozenset(host.lower().removesuffix(".").encode() for host in hosts)
        self._origins = frozenset(origin.encode() for origin in origins)

    def check_host(self, request: Request) -> None:
        """Raise ForbiddenOrigin for a Host that is no name of the listener; a request without Host passes."""
        host = request.header(b"host")
        if host is None or is_loopback(host) or host_name(host) in self._hosts:
            return
        raise ForbiddenOrigin(f"Host {_shown(host)} is no name of this listener; permit it with --allowed-hosts")

    def allows_host(self, request: Request) -> bool:
        """Return whether a request's Host is one of `hosts`."""
        return bool(self._hosts) and host_name(request.header(b"host") or b"") in self._hosts

    def check_page(self, request: Request, *, schemes: Collection[bytes]) -> bytes | None:
        """Raise ForbiddenOrigin for a page of a foreign origin; return the origin of an allowed page, else None.

        `schemes` are those by which browsers reach this listener. The listener's own pages, and programs that
        are no browsers, give None.
        """
        origins = request.header_values(b"origin")
        sites = request.header_values(b"sec-fetch-site")
        if len(origins) == 1 and origins[0].lower() in self._origins:
            return origins[0]
        host = request.header(b"host")
        own = {_own(scheme, host) for scheme in schemes} if host else frozenset[bytes]()
        for origin in origins:
            if len(origins) > 1 or origin.lower() not in own:
                raise ForbiddenOrigin(
                    f"a page of Origin {_shown(origin)} may not use this bridge; permit it with --allowed-origins"
                )
        for site in sites:
            if site.strip() not in _NO_OTHER_SITE:
                raise ForbiddenOrigin(
                    f"a page of another origin (Sec-Fetch-Site {_shown(site)}) may not use this bridge; "
                    "permit its origin with --allowed-origins"
                )
        return None


def is_from_page(request: Request) -> bool:
    """Return whether a browser names the page that sends the request."""
    return request.header(b"origin") is not None or request.header(b"sec-fetch-site") is not None


def allow_page(reply: Reply, origin: bytes) -> None:
    """Let an allowed page read the answer, in place of the provider's own CORS headers."""
    reply.override([(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED)])
    reply.add((b"vary", b"Origin"))


def preflight(request: Request) -> h.Headers | None:
    """Return the headers of the answer to an allowed page's preflight, None if the request is no preflight.

    https://fetch.spec.whatwg.org/#cors-preflight-request
    """
    if request.method != "OPTIONS" or request.header(b"access-control-request-method") is None:
        return None
    headers = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", _MAX_AGE)]
    asked = request.header(b"access-control-request-headers") or b""
    if _NAMES.fullmatch(asked):
        headers.append((b"access-control-allow-headers", asked))
    if request.header(b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers


def host_name(host: bytes) -> bytes:
    """Return the host of a Host header, in lower case, without port and root dot; b"" if it is malformed."""
    match = _AUTHORITY.fullmatch(host.strip().lower())
    return match[1].strip(b"[]") if match else b""


def is_loopback(host: bytes) -> bool:
    """Return whether a Host header names this machine in a way that DNS cannot change."""
    return _is_loopback(host) if len(host) <= _LONGEST_KEPT else _is_loopback.__wrapped__(host)


@lru_cache(_HOSTS_KEPT)
def _is_loopback(host: bytes) -> bool:
    name = host_name(host)
    return name == b"localhost" or is_loopback_address(name.decode("latin-1"))


def _own(scheme: bytes, host: bytes) -> bytes:
    """Return the origin of a page that this listener would serve under this Host."""
    return scheme + b"://" + host.lower().removesuffix(_DEFAULT_PORTS[scheme])


def _shown(value: bytes) -> str:
    return quoted(value.decode("latin-1"))
