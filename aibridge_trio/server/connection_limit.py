"""The open connections of a server: how many, from which addresses, and whether one more is let in."""

from __future__ import annotations

import errno
import math
import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

import trio

from aibridge_trio.config.settings import Network, Settings
from aibridge_trio.process.throttled_reports import Throttled

# Why a connection is turned away: too many in all, too many of one address, no descriptor to serve it with.
Cause = Literal["limit", "address", "descriptors"]
CAUSES: tuple[Cause, ...] = ("limit", "address", "descriptors")
# How often (seconds) a shortage is written to the log.
_SILENCE = 1.0
_SITE = 64
# Callers' connections by default, however many descriptors there are: each costs some 50 KiB, and more.
_MOST_CALLERS = 4096
# Operators' connections; where descriptors are few, an eighth of them, but so many at least.
_MOST_OPERATORS, _FEWEST_OPERATORS = 64, 4


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """Connections that are open, at most how many may be (0: unlimited), and how many were turned away, by cause.

    `busiest` is the address that has the most open, and how many those are; None without any.
    """

    connections: int
    most: int
    causes: Mapping[Cause, int]
    busiest: tuple[str, int] | None

    @property
    def refused(self) -> int:
        """How many were turned away in all."""
        return sum(self.causes.values())

    def document(self) -> dict[str, Any]:
        """Return it as JSON's types, for `/status`."""
        busiest = self.busiest and dict(zip(("address", "open"), self.busiest, strict=True))
        return {"open": self.connections, "max": self.most, "refused": dict(self.causes), "busiest": busiest}


class ConnectionLimit:
    """Counts connections and limits them: to `most` in all, to `per_address` of one address (0: unlimited).

    IPv6 addresses count by /64, as sites are given; connections by a unix socket have no address. `shares` is the
    bound of one address that is neither this machine's nor in a network of `exempt`; 0 is none. `warn` gets a line
    for the log when connections are turned away, at most once a second; `whose` names them in it.
    """

    def __init__(
        self,
        whose: str,
        warn: Callable[[str], None],
        *,
        most: int = 0,
        per_address: int = 0,
        share: int = 0,
        exempt: Sequence[Network] = (),
    ) -> None:
        self._whose = whose
        self._warn = warn
        self._most = most or math.inf
        self._per_address = per_address or math.inf
        self._share = share or math.inf
        self._exempt = exempt
        self._open = 0
        self._addresses: Counter[str] = Counter()
        self._causes: Counter[Cause] = Counter()
        self._shortage_said = -math.inf
        self._turned_away: Throttled[Cause] = Throttled(self._tell)

    def cause(self, address: str | None) -> Cause | None:
        """Return why a connection from this address can't be let in now; None if it can."""
        if self._open >= self._most:
            return "limit"
        if address is None:
            return None
        count = self._addresses[_site(address)]
        if count >= self._per_address or (count >= self._share and not self._is_exempt(address)):
            return "address"
        return None

    def enter(self, address: str | None) -> None:
        """Count one that is let in."""
        self._open += 1
        if address is not None:
            self._addresses[_site(address)] += 1

    def leave(self, address: str | None) -> None:
        """Count one that has ended."""
        self._open -= 1
        if address is not None:
            site = _site(address)
            self._addresses[site] -= 1
            if not self._addresses[site]:
                del self._addresses[site]

    def refuse(self, cause: Cause) -> None:
        """Count one that is turned away, and say so in the log, at once or while `run` runs."""
        self._causes[cause] += 1
        self._turned_away.add(cause)

    async def run(self) -> None:
        """Write what is to be said once a second when it falls due, until cancelled."""
        await self._turned_away.run()

    def _tell(self, cause: Cause, count: int) -> None:
        busiest = self.statistics().busiest
        most = f"; the most are from {busiest[0]} ({busiest[1]})" if busiest else ""
        self._warn(f"{count} connections of {self._whose} turned away: {_REASONS[cause]}; {self._open} open{most}")

    def report_shortage(self, error: OSError) -> None:
        """Say in the log what this machine lacks, as accept() tells it; at most once a second."""
        if trio.current_time() >= self._shortage_said + _SILENCE:
            self._shortage_said = trio.current_time()
            self._warn(f"{shortage(error)}; connections of {self._whose} wait or are turned away until others end")

    def statistics(self) -> ConnectionStats:
        """Return what is open now."""
        busiest = max(self._addresses.items(), key=lambda each: each[1], default=None)
        most = 0 if self._most == math.inf else int(self._most)
        return ConnectionStats(self._open, most, {cause: self._causes[cause] for cause in CAUSES}, busiest)

    def _is_exempt(self, address: str) -> bool:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return found.is_loopback or any(found in network for network in self._exempt)


def caller_connection_limit(settings: Settings, warn: Callable[[str], None]) -> ConnectionLimit:
    """Return the bounds of callers' connections.

    By default idle callers take half of the descriptors at most: the other half is for their requests' ways to the
    providers. Off loopback one address has half of them at most, so that it can't lock the others out.
    """
    most = settings.max_connections or max(1, min(_MOST_CALLERS, _descriptors() // 2))
    return ConnectionLimit(
        "callers",
        warn,
        most=most,
        per_address=settings.max_connections_per_address,
        share=max(1, most // 2) if settings.exposed() and not settings.max_connections_per_address else 0,
        exempt=settings.trusted_proxies,
    )


def admin_connection_limit(warn: Callable[[str], None]) -> ConnectionLimit:
    """Return the bounds of the admin listener's connections: of operators, probes and scrapers."""
    return ConnectionLimit(
        "operators", warn, most=min(_MOST_OPERATORS, max(_FEWEST_OPERATORS, _descriptors() // 8))
    )


def raise_descriptor_limit() -> None:
    """Let this process open as many descriptors as it may: connections cost one or two, and shells give 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls unlimited what is not
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _descriptors() -> int:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else most


class Reserve:
    """Descriptors that are kept back once it is filled, to accept with when there is none left."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[int] = []

    @property
    def spent_last(self) -> bool:
        """Whether there was a reserve, and none of it is left."""
        return self._size > 0 and not self._kept

    def spend(self) -> bool:
        """Free one; tell whether there was one."""
        if self._kept:
            os.close(self._kept.pop())
            return True
        return False

    def refill(self) -> None:
        """Keep as many as it is to hold, as far as there are."""
        if len(self._kept) == self._size:
            return
        with suppress(OSError):
            while len(self._kept) < self._size:
                # Not of /dev/null: a root directory with nothing in it has none.
                self._kept.append(socket.socket(socket.AF_UNIX).detach())

    def close(self) -> None:
        """Free all of them, for good."""
        self._size = 0
        while self.spend():
            pass


def shortage(error: OSError) -> str:
    """What the machine lacks, in plain words."""
    match error.errno:
        case errno.EMFILE:
            most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return f"out of file descriptors (limit {most}; raise it with ulimit -n or LimitNOFILE=)"
        case errno.ENFILE:
            return "this machine is out of file descriptors (fs.file-max)"
    return f"this machine is short of memory for sockets ({error.strerror or error})"


_REASONS: dict[Cause, str] = {
    "limit": "as many are open as may be",
    "address": "their address has as many open as one may",
    "descriptors": "out of file descriptors",
}


def _site(address: str) -> str:
    """Return what an address counts as: IPv4 as it is, IPv6 by /64."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return address if found.is_loopback else str(ip_network((found, _SITE), strict=False))
