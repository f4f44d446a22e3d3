"""Identifies the caller of a request by what it brings; `known_callers.py` names those that the bridge knows.

A caller is identified by its credential, `Authorization: Bearer` before `X-Api-Key` before `Api-Key`, else by its
address. The credential is neither kept nor shown: a keyed hash identifies the caller, and a hint lets an operator
recognize it. The hash's key is new at every start; replicas that share limits have a common one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aibridge_trio.config.addresses import Network
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest
from aibridge_trio.http.message import Request

Address = IPv4Address | IPv6Address

_HEADERS = ((b"authorization", "Authorization"), (b"x-api-key", "X-Api-Key"), (b"api-key", "Api-Key"))
CREDENTIAL_HEADERS = frozenset(name for name, _ in _HEADERS)

# The shortest credential of which the last four characters are shown.
_HINTED_FROM = 16
# How many hops of X-Forwarded-For are read, and how many bytes of it.
_MOST_HOPS = 32
_HOPS_LENGTH = 2048


class CallerIdentifier:
    """Returns the caller of each request. `X-Forwarded-For` counts only from `trusted_proxies`.

    Identifiers with the same `secret` (at most 64 bytes) give a caller the same key; by default it is a new one.
    """

    def __init__(self, trusted_proxies: Sequence[Network] = (), secret: bytes | None = None) -> None:
        self._trusted = trusted_proxies
        self._secret = secret or os.urandom(32)

    def apply(self, trusted_proxies: Sequence[Network]) -> None:
        """Trust these proxies from now on."""
        self._trusted = trusted_proxies

    def identify(self, request: Request) -> Caller:
        """Return the caller of a request; raise BadRequest for an empty or repeated credential header."""
        credential = next((credential for _, credential in credentials(request)), None)
        if credential is None:
            return self.by_address(request)
        key = self._hash(b"key", credential)
        return Caller(key, _hint(credential), authenticated=True, own_key=key)

    def by_address(self, request: Request) -> Caller:
        """Return the caller that a request's address stands for."""
        origin = self._origin(request)
        return Caller(self._hash(b"address", origin.encode()), origin, authenticated=False)

    def key_of_name(self, name: str) -> bytes:
        """Return the key of a known caller."""
        return self._hash(b"name", name.encode())

    def with_own_key(self, caller: Caller, credential: bytes) -> Caller:
        """Return a known caller whose request brings its own key."""
        return replace(caller, authenticated=True, own_key=self._hash(b"key", credential))

    def behind_proxy(self, request: Request) -> bool:
        """Return whether a request comes from a trusted proxy, or over a unix socket, which a proxy may use."""
        if request.client is None:
            return True
        peer = _address(request.client) if self._trusted else None
        return peer is not None and self._is_trusted(peer)

    def _hash(self, kind: bytes, value: bytes) -> bytes:
        return hashlib.blake2b(value, digest_size=16, key=self._secret, person=kind).digest()

    def _origin(self, request: Request) -> str:
        """Return the address that a request came from: IPv4 whole, IPv6 by /64, which is what one site gets."""
        origin = _address(request.client or "")
        if origin is None:
            return "unix" if request.client is None else "unknown"
        hops: list[str] | None = None
        while self._is_trusted(origin):
            if hops is None:
                hops = _last_hops(request)
            before = _address(hops.pop()) if hops else None
            if before is None:
                break
            origin = before
        return str(origin) if isinstance(origin, IPv4Address) else str(ip_network((origin, 64), strict=False))

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _last_hops(request: Request) -> list[str]:
    """Return the last hops of `X-Forwarded-For`, at most 32 in 2048 bytes: callers can send any number."""
    said = b""
    for value in reversed(request.header_values(b"x-forwarded-for")):
        said = b"%b,%b" % (value[-_HOPS_LENGTH - 1 :], said) if said else value[-_HOPS_LENGTH - 1 :]
        if len(said) > _HOPS_LENGTH:
            # The first hop may be cut off.
            said = said[-_HOPS_LENGTH:].partition(b",")[2]
            break
    return said.decode("latin-1").rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]


def credentials(request: Request, *, any_scheme: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Yield header and credential, the one that identifies a caller first.

    Raises BadRequest for an empty or repeated header. Of `Authorization` only `Bearer` is a credential here; with
    `any_scheme` the whole value of another one is, too.
    """
    found: list[tuple[bytes, bytes]] = []
    for name, shown in _HEADERS:
        values = request.header_values(name)
        if not values:
            continue
        if len(values) > 1:
            raise BadRequest(f"repeated credential header: {shown}")
        credential = values[0].strip()
        if name == b"authorization":
            scheme, _, token = credential.partition(b" ")
            if scheme.lower() == b"bearer":
                credential = token.strip()
            elif credential and not any_scheme:
                continue
        if not credential:
            raise BadRequest(f"empty credential header: {shown}")
        found.append((name, credential))
    return iter(found)


def _hint(credential: bytes) -> str:
    """Return the end of a long credential, with characters that a terminal would interpret replaced."""
    shown = credential[-4:].decode("latin-1") if len(credential) >= _HINTED_FROM else ""
    return "…" + "".join(char if char.isprintable() else "?" for char in shown)


def _address(text: str) -> Address | None:
    """Parse an address in the forms that proxies write: plain, `1.2.3.4:567`, `[::1]:567`, IPv4-mapped IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
