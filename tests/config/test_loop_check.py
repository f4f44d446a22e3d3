"""Requests that come back, and base URLs that would bring them back."""

from __future__ import annotations

import socket

import pytest

from aibridge_trio.config.addresses import Address, UnixSocket
from aibridge_trio.config.loop_check import leads_back

BINDS = (Address("127.0.0.1", 4001), UnixSocket("/run/x"), Address("::1", 4003), Address("bridge.internal", 80))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:4001/openai/v1",
            "http://localhost:4001",
            "http://LocalHost.:4001/x",
            "http://0.0.0.0:4001",
        ),
        *("http://[::1]:4003/v1", "http://localhost:4003", "http://bridge.internal/v1", "http://[::]:4003"),
    ],
)
def test_its_own_addresses(url: str) -> None:
    """A loop is found by address, as localhost, by the listener's name, and on the scheme's default port."""
    assert leads_back(url, BINDS)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:4002", "http://127.0.0.2:4001", "https://bridge.internal", "http://other:4001", "x"),
        *("http://10.9.9.9:4001", "https://api.openai.com/v1"),
    ],
)
def test_other_addresses(url: str) -> None:
    """Other ports, other addresses of the loopback, other hosts."""
    assert leads_back(url, BINDS) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "localhost", "[::1]", socket.gethostname(), "0.0.0.0"])
def test_everywhere_is_here(host: str) -> None:
    """A listener on all addresses is reached at each address of this machine."""
    assert leads_back(f"http://{host}:4001/v1", [Address("0.0.0.0", 4001)])
    assert leads_back(f"http://{host}:4001/v1", [Address("::", 4001)])
    assert leads_back("http://192.0.2.7:4001/v1", [Address("0.0.0.0", 4001)]) is None
