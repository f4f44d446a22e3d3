"""`aibridge serve --workers` as a service: the messages to its manager, and the sockets that it is given."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.test_service import port, url
from tests.support.processes import ASK, CHAT, PATIENCE, START, Provider, until
from tests.support.service_manager import Load, Service, started

pytestmark = pytest.mark.real

TWO = ("--workers", "2")


@pytest.fixture
def sockets() -> Iterator[dict[str, socket.socket]]:
    """Those of callers and operators."""
    with port() as callers, port() as admin:
        yield {"callers": callers, "admin": admin}


def workers(sockets: dict[str, socket.socket]) -> list[int]:
    """The processes that serve."""
    found = httpx.get(url(sockets["admin"]) + "/status", trust_env=False, timeout=PATIENCE).json()["workers"]
    return [row["pid"] for row in found if row["state"] == "serving"]


def both(service: Service, sockets: dict[str, socket.socket]) -> list[int]:
    """Wait until two serve."""
    service.hears("READY")
    found: list[int] = until(lambda: pids if len(pids := workers(sockets)) == 2 else None, "two workers", START)
    return found


def test_all_messages_are_the_supervisors(tmp_path: Path, sockets: dict[str, socket.socket]) -> None:
    """It is the main process; workers neither know the manager, nor take its sockets for their own."""
    with started(tmp_path, *TWO, sockets=sockets, watchdog=20) as service:
        assert service.hears("READY")["STATUS"] == "serving: 2 of 2 workers serve, 0 in flight"
        for pid in workers(sockets):
            assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(service.process.pid)
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            assert not re.search(rb"NOTIFY_SOCKET|WATCHDOG_|LISTEN_", environ)
        assert not any("MAINPID" in told for told in service.told)
        service.process.signal(signal.SIGHUP)
        service.hears("RELOADING")
        service.hears("READY", 2)
        service.process.signal(signal.SIGTERM)
        assert service.hears("STOPPING")["STATUS"] == "draining: 2 of 2 workers serve, 0 in flight"
        service.hears("EXTEND_TIMEOUT_USEC")
        assert service.process.wait(START) == 0


def test_the_watchdog_is_reset_while_workers_answer(tmp_path: Path, sockets: dict[str, socket.socket]) -> None:
    """One that hangs is the supervisor's to end; if none answers, the manager starts all anew."""
    with started(tmp_path, *TWO, sockets=sockets, watchdog=4) as service:
        one, other = both(service, sockets)
        service.hears("WATCHDOG", 2)
        try:
            os.kill(one, signal.SIGSTOP)
            service.hears("WATCHDOG", len(service.times("WATCHDOG")) + 3)
            assert '"event": "watchdog"' not in service.process.stderr
            os.kill(other, signal.SIGSTOP)
            service.process.says(r"the self-test failed: none of 2 workers answers")
            before = len(service.times("WATCHDOG"))
            time.sleep(3)
            assert len(service.times("WATCHDOG")) == before
        finally:
            for pid in (one, other):
                os.kill(pid, signal.SIGCONT)
        service.hears("WATCHDOG", before + 2)


def test_full_workers_are_alive(tmp_path: Path, sockets: dict[str, socket.socket]) -> None:
    """All connections used: the watchdog is reset all the same."""
    with started(tmp_path, *TWO, "--max-connections", "2", sockets=sockets, watchdog=4) as service:
        both(service, sockets)
        with ExitStack() as held:
            for _ in range(8):
                held.enter_context(socket.create_connection(sockets["callers"].getsockname()))
            service.hears("WATCHDOG", len(service.times("WATCHDOG")) + 4)
        assert '"event": "watchdog"' not in service.process.stderr


def test_a_restart_under_load_refuses_no_caller(
    tmp_path: Path, provider: Provider, sockets: dict[str, socket.socket]
) -> None:
    """The manager's sockets stay: what comes between two supervisors waits for the new one."""
    provider.change(latency=0.02)
    callers = {"callers": sockets["callers"]}
    load = Load(url(sockets["callers"]))
    with started(tmp_path, *TWO, sockets=callers, provider=provider) as old:
        old.hears("READY")
        with load.running():
            load.asked(20)
            old.process.signal(signal.SIGTERM)
            assert old.process.wait(4 * PATIENCE) == 0
            with started(tmp_path, *TWO, sockets=callers, provider=provider) as new:
                new.hears("READY")
                load.asked(20)
                load._over.set()
                for thread in load._threads:
                    thread.join(PATIENCE)
    assert (load.faults, set(load.statuses)) == ([], {200})
    provider.change(latency=0)


def test_a_killed_supervisor_leaves_the_managers_socket_to_the_next(
    tmp_path: Path, provider: Provider, sockets: dict[str, socket.socket]
) -> None:
    """Its workers are gone, so callers get no answer of theirs: the next one serves them all."""
    ask: Any = {"model": "m", "messages": ASK}
    with started(tmp_path, *TWO, sockets=sockets, provider=provider) as old:
        pids = both(old, sockets)
        old.process.signal(signal.SIGKILL)
        old.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), "no worker is left")
    with started(tmp_path, *TWO, sockets=sockets, provider=provider) as new:
        new.hears("READY")
        for _ in range(8):
            assert httpx.post(url(sockets["callers"]) + CHAT, json=ask, timeout=PATIENCE).status_code == 200
