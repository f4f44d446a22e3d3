"""Limits on connections, in all and by address, and what is logged of rejected ones."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.config.settings import Address, Settings, UnixSocket
from aibridge_trio.server.connection_limit import ConnectionLimit, admin_connection_limit, caller_connection_limit
from tests.server.test_connection import GET, OK, Site, ok, serve
from tests.support.network import Network

__all__ = ["serve"]

OPEN = (Address("0.0.0.0", 4001),)


def mute(_: str) -> None:
    """Log nothing."""


def entered(connections: ConnectionLimit, *addresses: str | None) -> list[str | None]:
    """Admit what can be admitted; return the cause of each reject."""
    causes: list[str | None] = []
    for address in addresses:
        causes.append(connections.cause(address))
        if causes[-1] is None:
            connections.enter(address)
    return causes


# Bounds


def test_no_connection_is_limited_without_bounds() -> None:
    """Without bounds all are let in."""
    assert set(entered(ConnectionLimit("x", mute), *["10.0.0.1"] * 100)) == {None}


def test_bounds_in_all_and_of_one_address() -> None:
    """The bound of one address comes below that of all; those without an address have only the latter."""
    connections = ConnectionLimit("x", mute, most=4, per_address=2)
    causes = entered(connections, "10.0.0.1", "10.0.0.1", "10.0.0.1", None, None, None, "10.0.0.2")
    assert causes == [None, None, "address", None, None, "limit", "limit"]
    connections.leave("10.0.0.1")
    assert entered(connections, "10.0.0.1", None) == [None, "limit"]


def test_ipv6_counts_by_site() -> None:
    """A caller with a whole /64 has no 2^64 addresses."""
    connections = ConnectionLimit("x", mute, per_address=1)
    causes = entered(connections, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "fe80::1%eth0", "fe80::2%eth1")
    assert causes == [None, "address", None, None, "address"]
    connections.leave("2001:db8::1")
    assert entered(connections, "2001:db8::3") == [None]


def test_a_share_is_for_addresses_that_are_neither_ours_nor_a_trusted_proxys() -> None:
    """A proxy in front has everyone's connections, and so has one on this machine."""
    connections = ConnectionLimit("x", mute, share=1, exempt=[ip_network("10.1.0.0/16")])
    for address in ("10.1.2.3", "127.0.0.1", "::1", "127.9.9.9"):
        assert entered(connections, address, address, address) == [None] * 3
    assert entered(connections, "10.2.0.1", "10.2.0.1", "nonsense", "nonsense") == [None, "address"] * 2


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "2001:db8::1", "2001:db8::2", None]), st.booleans())))
def test_counts_are_exact(moves: list[tuple[str | None, bool]]) -> None:
    """For any sequence of connections limits hold, the busiest address is right, and no entry stays."""
    connections = ConnectionLimit("x", mute, most=5, per_address=2)
    inside: list[str | None] = []
    for address, comes in moves:
        if comes and connections.cause(address) is None:
            connections.enter(address)
            inside.append(address)
        elif not comes and address in inside:
            connections.leave(address)
            inside.remove(address)
        sites = [each.replace("::1", "::/64").replace("::2", "::/64") for each in inside if each]
        found = connections.statistics()
        assert found.connections == len(inside) <= 5
        assert all(sites.count(site) <= 2 for site in sites)
        assert (found.busiest or ("", 0))[1] == max(map(sites.count, sites), default=0)
    for address in inside:
        connections.leave(address)
    assert connections.statistics().busiest is None
    assert not connections._addresses


@pytest.mark.parametrize(
    ("descriptors", "options", "expected"),
    [
        ((8, 8), {}, (4, None, None)),
        ((1024, 1024), {}, (512, None, None)),
        ((10**6, 10**6), {}, (4096, None, None)),
        ((-1, -1), {}, (4096, None, None)),
        ((1, 1), {}, (1, None, None)),
        ((1024, 1024), {"bind": OPEN}, (512, None, 256)),
        ((1024, 1024), {"bind": OPEN, "max_connections": 9}, (9, None, 4)),
        ((1024, 1024), {"bind": OPEN, "max_connections": 1}, (1, None, 1)),
        ((1024, 1024), {"bind": OPEN, "max_connections_per_address": 7}, (512, 7, None)),
        ((1024, 1024), {"bind": (UnixSocket("/x"),), "max_connections": 10_000}, (10_000, None, None)),
    ],
)
def test_the_bounds_of_callers(
    monkeypatch: pytest.MonkeyPatch,
    descriptors: tuple[int, int],
    options: dict[str, Any],
    expected: tuple[int, int | None, int | None],
) -> None:
    """Half of the descriptors, 4096 at most; off loopback half of that for one address; numbers win over both."""
    monkeypatch.setattr("resource.getrlimit", lambda _: descriptors)
    most, per_address, share = expected
    bounds = caller_connection_limit(Settings(**options), mute)
    bound = min(n for n in (most, per_address, share) if n)
    causes = entered(bounds, *["10.0.0.1"] * (bound + 1))
    assert causes == [None] * bound + ["limit" if bound == most else "address"]
    assert bounds.statistics().most == most
    assert set(entered(bounds, *["127.0.0.1"] * (10 if per_address is None else 7))) <= {None, "limit"}


def test_the_bounds_of_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """64, but an eighth of few descriptors, and 4 at least."""
    found = []
    for most in (8, 256, 1024, -1):
        monkeypatch.setattr("resource.getrlimit", lambda _, most=most: (most, most))
        found.append(admin_connection_limit(mute).statistics().most)
    assert found == [4, 32, 64, 64]


# What is said of it


async def test_refused_connections_are_counted_by_cause_and_logged_once_a_second(
    autojump_clock: MockClock,
) -> None:
    """The line has the cause, how many there were since the last, and the address that has the most."""
    said: list[str] = []
    connections = ConnectionLimit("callers", said.append, most=2)
    entered(connections, "10.0.0.1", "10.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.run)
        for _ in range(24):
            connections.refuse("limit")
            await trio.sleep(0.125)
        await trio.sleep(1)  # the last are said as well, though no other comes
        nursery.cancel_scope.cancel()
    counts = [int(line.partition(" ")[0]) for line in said]
    assert (counts[0], len(counts), sum(counts)) == (1, 4, 24)
    rest = "connections of callers turned away: as many are open as may be; 2 open; the most are from 10.0.0.1 (2)"
    assert {line.partition(" ")[2] for line in said} == {rest}
    connections.refuse("address")
    found = connections.statistics()
    assert dict(found.causes) == {"limit": 24, "address": 1, "descriptors": 0}
    assert (found.refused, found.busiest) == (25, ("10.0.0.1", 2))


# Descriptors kept back


# Unfinished heads


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nx: y"], ids=["idle", "head"])
async def test_where_the_slowest_is_evicted_silence_locks_no_client_out(
    autojump_clock: MockClock, network: Network, data: bytes
) -> None:
    """A silent connection, or one with half a head, is evicted for a new one at once, the oldest first."""
    site = Site(network, ok, connections=ConnectionLimit("operators", mute, most=2), evicts=True)
    await network.nursery.start(site.server.run)
    silent = [await site.call(data) for _ in range(3)]
    await wait_all_tasks_blocked()
    assert [each.closed for each in silent] == [True, False, False]
    assert (await site.call(GET)).heard() == OK
    assert [each.closed for each in silent] == [True, True, False]
    assert site.server.statistics().refused == 0
    assert site.reports == []
