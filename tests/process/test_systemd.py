"""What the service manager gets, on real datagram sockets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aibridge_trio.process.systemd import ServiceManager, forget


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """Receive what is sent to this address, as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind("\0" + address[1:] if address.startswith("@") else address)
        received.settimeout(5)
        yield received


def lines(received: socket.socket) -> list[str]:
    """Return the assignments of one message."""
    return received.recv(4096).decode().split("\n")


@pytest.mark.parametrize("abstract", [False, True])
def test_it_sends_each_phase_as_sd_notify_defines_it(tmp_path: Path, abstract: bool) -> None:
    """By path and by an abstract name."""
    address = f"@aibridge-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with manager(address) as received:
        service = ServiceManager.of({"NOTIFY_SOCKET": address})
        service.ready("serving\nX=1")
        before = time.monotonic_ns() // 1000
        service.reloading()
        service.stopping("draining")
        service.extend(1.5)
        service.alive()
        assert lines(received) == ["READY=1", "STATUS=serving X=1"]
        reloading, at = lines(received)
        assert reloading == "RELOADING=1"
        assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        assert lines(received) == ["STOPPING=1", "STATUS=draining"]
        assert lines(received) == ["EXTEND_TIMEOUT_USEC=1500000"]
        assert lines(received) == ["WATCHDOG=1"]
        service.close()


@pytest.mark.parametrize("address", ["", "@", "relative", "vsock:2:1234"])
def test_without_a_service_manager_nothing_is_sent(address: str) -> None:
    """Nor with one that is reached in another way."""
    service = ServiceManager.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    assert not service.present
    assert service.watchdog is None
    service.ready("")
    service.close()


def test_a_manager_that_does_not_read_blocks_nothing_and_gets_what_waits(tmp_path: Path) -> None:
    """READY is not lost because the manager is busy; of many messages the last ones are kept."""
    address = str(tmp_path / "notify")
    with manager(address) as received:
        service = ServiceManager(address)
        for number in range(10_000):
            service.status(str(number))
        service.ready("at last")
        got: list[str] = []
        while "READY=1" not in got:
            got += lines(received)
            service.flush()
        assert "STATUS=9999" in got
        service.close()


def test_a_manager_that_has_gone_is_no_fault(tmp_path: Path) -> None:
    """Nothing is raised, and nothing is kept for it."""
    service = ServiceManager(str(tmp_path / "nobody"))
    service.ready("")
    assert not service._waiting
    service.close()
    service.close()


@pytest.mark.parametrize(
    ("pid", "usec", "seconds"),
    [
        (None, "30000000", 30.0),
        ("own", "500000", 0.5),
        ("1", "500000", None),
        (None, "0", None),
        (None, "x", None),
        (None, "-1", None),
        (None, "9" * 400, None),
        (None, "9" * 5000, None),
    ],
)
def test_the_watchdog_is_this_processs_own(
    tmp_path: Path, pid: str | None, usec: str, seconds: float | None
) -> None:
    """WATCHDOG_PID names the process that is watched."""
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": usec}
    service = ServiceManager.of(
        environ | ({"WATCHDOG_PID": str(os.getpid()) if pid == "own" else pid} if pid else {})
    )
    assert service.watchdog == seconds
    service.close()


def test_the_variables_are_forgotten() -> None:
    """No child takes them for its own."""
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    forget(environ)
    assert environ == {"PATH": "/bin"}
