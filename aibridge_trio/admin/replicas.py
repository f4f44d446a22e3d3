"""The replicas that URLs of admin listeners stand for: one each, or one for each address of a name.

A name with several addresses, such as that of a headless Service, means each of them: the connection goes to the
address, while `Host` and the TLS server name stay the name's. Of two address families one is used, so that a
machine with both counts once; a name of this machine is one replica.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import trio

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.config.addresses import is_loopback_address
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError

# Replicas at most: each costs a connection.
MOST = 64
# How long a name may take to resolve (seconds).
_RESOLVE_TIMEOUT = 5.0
_PORTS = {"http": 80, "https": 443}


async def find(urls: Sequence[str], token: Secret | None) -> list[AdminClient]:
    """Return a client for each replica, in the order of the URLs. Raises CommandError for more than `MOST`.

    A name that cannot be resolved is one client, whose requests raise Unreachable with the cause.
    """
    found: list[list[AdminClient]] = [[] for _ in urls]

    async def look_up(place: int, url: str) -> None:
        addresses = await _addresses(url)
        found[place] = [AdminClient(url, token, address) for address in addresses or (None,)]

    async with trio.open_nursery() as nursery:
        for place, url in enumerate(urls):
            nursery.start_soon(look_up, place, url)
    clients = list({client.name: client for part in found for client in part}.values())
    if len(clients) > MOST:
        raise CommandError(f"{len(clients)} replicas are more than {MOST}; name fewer with --url")
    return clients


async def _addresses(url: str) -> list[str]:
    """Return the addresses of a URL's host if there are several replicas behind it, else none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_address(host):
        return []
    try:
        with trio.fail_after(_RESOLVE_TIMEOUT):
            port = parts.port or _PORTS[parts.scheme]
            answers = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, trio.TooSlowError):
        return []
    return several((answer[0], str(answer[4][0])) for answer in answers)


def several(answers: Iterable[tuple[int, str]]) -> list[str]:
    """Return the addresses of the family that has most, sorted, if there are two or more; else none."""
    by_family: dict[int, set[str]] = {socket.AF_INET: set(), socket.AF_INET6: set()}
    for family, address in answers:
        if is_loopback_address(address.partition("%")[0]):
            return []
        by_family.setdefault(family, set()).add(address)
    most = max(by_family.values(), key=len)
    return sorted(most, key=lambda each: ip_address(each.partition("%")[0]).packed) if len(most) > 1 else []


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
