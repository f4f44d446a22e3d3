"""`aibridge serve` as a service: the messages to its manager, and restarts that no caller notices."""

from __future__ import annotations

import re
import signal
import socket
import stat
import threading
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ASK, CHAT, PATIENCE, Provider
from tests.support.service_manager import Load, started

pytestmark = pytest.mark.real


def port() -> socket.socket:
    """Return a listening socket, as a .socket unit has it."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


def url(sock: socket.socket) -> str:
    """Return where callers connect."""
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


# Messages to the manager


def test_it_is_ready_when_callers_are_served_and_says_that_it_stops(tmp_path: Path) -> None:
    """READY comes when the listener accepts, STOPPING when the drain begins; both with a status for people."""
    with port() as callers, started(tmp_path, sockets={"callers": callers}) as service:
        assert service.hears("READY")["STATUS"] == "serving: 0 in flight"
        assert httpx.get(url(callers)).status_code == 200
        service.process.signal(signal.SIGTERM)
        assert service.hears("STOPPING")["STATUS"] == "draining: 0 in flight"
        assert service.hears("EXTEND_TIMEOUT_USEC")["EXTEND_TIMEOUT_USEC"] == "30000000"
        assert service.process.wait() == 0


def test_the_watchdog_is_reset_while_the_listener_answers(tmp_path: Path) -> None:
    """At each half of its time; the test is no request: neither metric nor log line counts it."""
    with port() as callers, port() as admin:
        sockets = {"callers": callers, "admin": admin}
        with started(tmp_path, sockets=sockets, watchdog=0.6) as service:
            service.hears("WATCHDOG", 5)
            times = service.times("WATCHDOG")
            assert min(later - before for before, later in pairwise(times)) > 0.1
            shown = httpx.get(url(admin) + "/metrics").text
            counted = re.findall(r"^aibridge_requests_total.* (\S+)$", shown, re.MULTILINE)
            assert set(counted) == {"0.0"}
            assert '"event": "request"' not in service.process.stderr
            assert '"event": "watchdog"' not in service.process.stderr


@pytest.mark.parametrize("flags", [("--max-connections", "2"), ("--max-concurrency", "1")])
def test_a_full_bridge_is_alive(tmp_path: Path, provider: Provider, flags: tuple[str, ...]) -> None:
    """All connections used, or all slots: the watchdog is reset all the same."""
    provider.script({"fault": "stall", "after": 3})
    ask: Any = {"model": "m", "messages": ASK, "stream": True}
    with (
        port() as callers,
        started(tmp_path, *flags, sockets={"callers": callers}, watchdog=0.6, provider=provider) as service,
    ):
        service.hears("READY")
        with ExitStack() as held:
            answer = held.enter_context(httpx.stream("POST", url(callers) + CHAT, json=ask, timeout=PATIENCE))
            assert next(answer.iter_raw())
            held.enter_context(socket.create_connection(callers.getsockname()))
            time.sleep(0.1)
            service.hears("WATCHDOG", len(service.times("WATCHDOG")) + 4)
        assert '"event": "watchdog"' not in service.process.stderr


# Socket activation


def test_a_unix_socket_of_the_manager_stays(tmp_path: Path) -> None:
    """Its file and its mode are the manager's: not removed, not changed."""
    path = tmp_path / "callers.sock"
    with socket.socket(socket.AF_UNIX) as callers:
        callers.bind(str(path))
        path.chmod(0o600)
        callers.listen()
        with started(tmp_path, sockets={"callers": callers}, watchdog=0.6) as service:
            service.hears("WATCHDOG", 2)
            assert f"listens on unix:{path}, admin" in service.process.lines[0]
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as caller:
                assert caller.get("http://localhost/").status_code == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_socket_that_is_for_no_listener_ends_it(tmp_path: Path) -> None:
    """It says which one, and what to write into its unit."""
    with port() as other, started(tmp_path, sockets={"other.socket": other}) as service:
        assert service.process.wait(6 * PATIENCE) == 2
        assert "LISTEN_FDS: other.socket listens on 127.0.0.1:" in service.process.stderr


def test_a_restart_under_load_refuses_no_caller_and_cuts_no_stream(tmp_path: Path, provider: Provider) -> None:
    """As `systemctl restart` does it: the old one ends, then the new one starts; what comes meanwhile waits."""
    provider.change(latency=0.02, tokens_per_second=20)
    ended: list[bytes] = []

    def stream(address: str) -> None:
        ask = {"model": "m", "messages": ASK, "stream": True, "max_tokens": 30}
        with httpx.stream("POST", address + CHAT, json=ask, timeout=4 * PATIENCE) as answer:
            ended.append(b"".join(answer.iter_raw()))

    with port() as callers:
        load = Load(url(callers))
        with started(tmp_path, sockets={"callers": callers}, provider=provider) as old:
            old.hears("READY")
            with load.running():
                load.asked(20)
                streaming = threading.Thread(target=stream, args=(url(callers),), daemon=True)
                streaming.start()
                old.process.signal(signal.SIGTERM)
                assert old.process.wait(4 * PATIENCE) == 0
                with started(tmp_path, sockets={"callers": callers}, provider=provider) as new:
                    new.hears("READY")
                    load.asked(20)
                    streaming.join(PATIENCE)
                    load._over.set()
                    for thread in load._threads:
                        thread.join(PATIENCE)
        assert (load.faults, set(load.statuses)) == ([], {200})
        assert ended[0].endswith(b"data: [DONE]\n\n")
    provider.change(latency=0, tokens_per_second=0)


def test_old_and_new_overlap_on_one_socket(tmp_path: Path, provider: Provider) -> None:
    """The hand-over: the new one accepts beside the old one, which then drains; no caller waits for a start."""
    with port() as callers:
        load = Load(url(callers))
        sockets = {"callers": callers}
        with (
            started(tmp_path, sockets=sockets, watchdog=1, provider=provider) as old,
            started(tmp_path, sockets=sockets, watchdog=1, provider=provider) as new,
        ):
            old.hears("READY")
            with load.running():
                load.asked(20)
                new.hears("WATCHDOG", 2)
                old.hears("WATCHDOG", 2)
                old.process.signal(signal.SIGTERM)
                assert old.process.wait(4 * PATIENCE) == 0
                load.asked(20)
            new.hears("WATCHDOG", len(new.times("WATCHDOG")) + 2)
            for each in (old, new):
                assert '"event": "watchdog"' not in each.process.stderr
                assert '"event": "request"' in each.process.stderr  # both served
        assert (load.faults, set(load.statuses)) == ([], {200})
        assert load.longest < PATIENCE / 2
