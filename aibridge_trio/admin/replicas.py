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
from aibridge_trio.config.addresses import MOST_URLS, is_loopback_address
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError

# How long a name may take to resolve (seconds).
RESOLVE_TIMEOUT = 5.0
_PORTS = {"http": 80, "https": 443}


class Replicas:
    """The replicas behind these URLs, as their names resolve at each `find`."""

    def __init__(self, urls: Sequence[str], token: Secret | None) -> None:
        self._urls = tuple(urls)
        self._token = token
        # Of each URL whose name has had several addresses: the last ones.
        self._addresses: dict[str, list[str]] = {}

    @property
    def may_change(self) -> bool:
        """Whether a URL holds a name that may resolve to others later."""
        hosts = [urlsplit(url).hostname or "" for url in self._urls]
        return not all(_is_address(host) or host == "localhost" for host in hosts)

    async def find(self) -> list[AdminClient]:
        """Return a client for each replica, in the order of the URLs. Raises CommandError for more than MOST_URLS.

        A name that cannot be resolved now stands for what it was. If it never was, it is one client, whose
        requests raise Unreachable with the cause.
        """
        async with trio.open_nursery() as nursery:
            for url in self._urls:
                nursery.start_soon(self._look_up, url)
        found: dict[str, AdminClient] = {}
        for url in self._urls:
            addresses: list[str | None] = [*self._addresses.get(url, ())] or [None]
            for address in addresses:
                client = AdminClient(url, self._token, address)
                # The same address may be given by itself, too.
                found.setdefault(client.at.partition("://")[2], client)
        if len(found) > MOST_URLS:
            raise CommandError(f"{len(found)} replicas are more than {MOST_URLS}; name fewer with --url")
        return list(found.values())

    async def _look_up(self, url: str) -> None:
        """Note the addresses of a URL's host if there are several replicas behind it, or were before."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if _is_address(host):
            return
        try:
            with trio.fail_after(RESOLVE_TIMEOUT):
                port = parts.port or _PORTS[parts.scheme]
                answers = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, trio.TooSlowError):
            return
        before = self._addresses.get(url)
        addresses = of_one_family(((answer[0], str(answer[4][0])) for answer in answers), before)
        # One that is left of several keeps its name.
        if len(addresses) > 1 or (addresses and before):
            self._addresses[url] = addresses


def of_one_family(answers: Iterable[tuple[int, str]], before: Sequence[str] | None = None) -> list[str]:
    """Return the addresses of one family, sorted; none for a name of this machine.

    It is the family of those `before`, otherwise the one with more addresses: in a rolling update the families
    need not have equally many.
    """
    by_family: dict[int, set[str]] = {socket.AF_INET: set(), socket.AF_INET6: set()}
    for family, address in answers:
        if is_loopback_address(address.partition("%")[0]):
            return []
        by_family.setdefault(family, set()).add(address)
    usual = by_family[socket.AF_INET6 if ":" in before[0] else socket.AF_INET] if before else None
    chosen = usual or max(by_family.values(), key=len)
    return sorted(chosen, key=lambda each: ip_address(each.partition("%")[0]).packed)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
