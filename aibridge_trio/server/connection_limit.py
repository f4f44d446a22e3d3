"""Counts the open connections of a server by address, and limits them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

import trio

from aibridge_trio.config.settings import Network, Settings
from aibridge_trio.process.throttled_reports import Throttled
from aibridge_trio.server.descriptors import descriptor_limit, shortage

# Why a connection is rejected: too many in all, too many from one address, no descriptor left to serve it.
Cause = Literal["limit", "address", "descriptors"]
CAUSES: tuple[Cause, ...] = ("limit", "address", "descriptors")
# How often (seconds) a shortage is logged at most.
_LOG_INTERVAL = 1.0
_SITE = 64
# The default limit of callers' connections, however many descriptors there are: each takes 50 KiB or more.
_MOST_CALLERS = 4096
# Limit of the admin listener's connections: an eighth of the descriptors, within these bounds.
_MOST_OPERATORS, _FEWEST_OPERATORS = 64, 4


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """Open connections, the limit (0: unlimited), and how many connections were rejected, by cause.

    `busiest` is the address with the most open connections, and their number; None without any.
    """

    connections: int
    most: int
    causes: Mapping[Cause, int]
    busiest: tuple[str, int] | None

    @property
    def refused(self) -> int:
        """How many connections were rejected in all."""
        return sum(self.causes.values())

    def document(self) -> dict[str, Any]:
        """Return the statistics as JSON types, for `/status`."""
        busiest = self.busiest and dict(zip(("address", "open"), self.busiest, strict=True))
        return {"open": self.connections, "max": self.most, "refused": dict(self.causes), "busiest": busiest}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a ConnectionLimit, whose docstring explains them; 0 is unlimited."""

    most: int = 0
    per_address: int = 0
    share: int = 0
    exempt: Sequence[Network] = ()


class ConnectionLimit:
    """Counts connections and limits them: to `most` in all, and to `per_address` from one address (0: unlimited).

    IPv6 addresses count by /64, the size of a site; connections by unix socket have no address. `share` limits
    each address that is neither loopback nor in one of the `exempt` networks (0: unlimited). `warn` gets a log
    line, at most once a second, when connections are rejected; `whose` names the connections in it.
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
        self.apply(Bounds(most, per_address, share, exempt))
        self._open = 0
        self._addresses: Counter[str] = Counter()
        self._causes: Counter[Cause] = Counter()
        self._shortage_said = -math.inf
        self._turned_away: Throttled[Cause] = Throttled(self._tell)

    def apply(self, bounds: Bounds) -> None:
        """Use these bounds for connections that come from now on; open ones stay."""
        self._most = bounds.most or math.inf
        self._per_address = bounds.per_address or math.inf
        self._share = bounds.share or math.inf
        self._exempt = bounds.exempt

    def cause(self, address: str | None) -> Cause | None:
        """Return why a connection from this address has to be rejected now; None if it can be admitted."""
        if self._open >= self._most:
            return "limit"
        if address is None:
            return None
        count = self._addresses[_site(address)]
        if count >= self._per_address or (count >= self._share and not self._is_exempt(address)):
            return "address"
        return None

    def enter(self, address: str | None) -> None:
        """Count a connection that is admitted."""
        self._open += 1
        if address is not None:
            self._addresses[_site(address)] += 1

    def leave(self, address: str | None) -> None:
        """Count a connection that has ended."""
        self._open -= 1
        if address is not None:
            site = _site(address)
            self._addresses[site] -= 1
            if not self._addresses[site]:
                del self._addresses[site]

    def refuse(self, cause: Cause) -> None:
        """Count a rejected connection, and log it: at once, or together with others while `run` runs."""
        self._causes[cause] += 1
        self._turned_away.add(cause)

    async def run(self) -> None:
        """Write the throttled log lines when they are due, until cancelled."""
        await self._turned_away.run()

    def _tell(self, cause: Cause, count: int) -> None:
        busiest = self.statistics().busiest
        most = f"; the most are from {busiest[0]} ({busiest[1]})" if busiest else ""
        self._warn(f"{count} connections of {self._whose} turned away: {_REASONS[cause]}; {self._open} open{most}")

    def report_shortage(self, error: OSError) -> None:
        """Log what this machine lacks, by an error of accept(); at most once a second."""
        if trio.current_time() >= self._shortage_said + _LOG_INTERVAL:
            self._shortage_said = trio.current_time()
            self._warn(f"{shortage(error)}; connections of {self._whose} wait or are turned away until others end")

    def statistics(self) -> ConnectionStats:
        """Return the connections that are open now."""
        busiest = max(self._addresses.items(), key=lambda each: each[1], default=None)
        most = 0 if self._most == math.inf else int(self._most)
        return ConnectionStats(self._open, most, {cause: self._causes[cause] for cause in CAUSES}, busiest)

    def _is_exempt(self, address: str) -> bool:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return found.is_loopback or any(found in network for network in self._exempt)


def caller_bounds(settings: Settings, descriptors: int | None = None) -> Bounds:
    """Return the bounds of callers' connections with so many descriptors; None is as many as this process has.

    By default idle callers take at most half of the descriptors: the other half is for connections to providers.
    On a listener that is reachable from outside, one address has at most half of them, so it cannot lock others
    out.
    """
    available = descriptor_limit() if descriptors is None else descriptors
    most = settings.max_connections or max(1, min(_MOST_CALLERS, available // 2))
    return Bounds(
        most=most,
        per_address=settings.max_connections_per_address,
        share=max(1, most // 2) if settings.exposed() and not settings.max_connections_per_address else 0,
        exempt=settings.trusted_proxies,
    )


def caller_connection_limit(settings: Settings, warn: Callable[[str], None]) -> ConnectionLimit:
    """Return the limit for callers' connections."""
    limit = ConnectionLimit("callers", warn)
    limit.apply(caller_bounds(settings))
    return limit


def admin_connection_limit(warn: Callable[[str], None]) -> ConnectionLimit:
    """Return the limit for the admin listener: operators, health probes and scrapers."""
    return ConnectionLimit(
        "operators", warn, most=min(_MOST_OPERATORS, max(_FEWEST_OPERATORS, descriptor_limit() // 8))
    )


_REASONS: dict[Cause, str] = {
    "limit": "as many are open as may be",
    "address": "their address has as many open as one may",
    "descriptors": "out of file descriptors",
}


def _site(address: str) -> str:
    """Return what an address is counted as: IPv4 as it is, IPv6 by its /64."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return address if found.is_loopback else str(ip_network((found, _SITE), strict=False))
