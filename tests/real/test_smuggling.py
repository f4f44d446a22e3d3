"""The smuggling corpus against the real program: alone, behind nginx, and behind HAProxy.

The provider tells what it saw, and answers with the target that it was asked for, so that an answer of another
request shows.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from aibridge_trio.http.response_writer import CONTINUE
from tests.http.test_request_parser import SMUGGLED
from tests.support.liars import Liar, a_liar
from tests.support.processes import PATIENCE, Bridge, a_bridge, until
from tests.support.shells import needed
from tests.support.smuggling import CASES, Case

pytestmark = pytest.mark.real

# A front may wait for the rest of a body.
_A_WHILE = 1.0
HONEST = "/openai/v1/models/honest-%d"


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    """A provider that answers with the target."""
    with a_liar() as liar:

        def echo(sock: socket.socket) -> None:
            target = liar.requests[-1].target
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(target), target))

        liar.say = echo
        yield liar


@pytest.fixture(scope="module")
def alone(liar: Liar) -> Iterator[Bridge]:
    """A bridge without a proxy in front."""
    with a_bridge(*liar.flags) as bridge:
        yield bridge


def said(port: int, data: bytes, patience: float = PATIENCE) -> bytes:
    """Say this, wait for an answer and for what else comes at once, and return it."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        with suppress(ConnectionError):
            sock.sendall(data)
        answer = b""
        sock.settimeout(patience)
        with suppress(TimeoutError, ConnectionError):
            while piece := sock.recv(65536):
                answer += piece
                if not answer.endswith(CONTINUE):
                    sock.settimeout(0.05)
        return answer


def honest(caller: httpx.Client, count: int) -> None:
    """Later requests get answers of their own."""
    for n in range(count):
        assert caller.get(HONEST % n).text == (HONEST % n).removeprefix("/openai")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_is_read_in_one_way_or_refused(alone: Bridge, liar: Liar, case: Case) -> None:
    """It arrives as what it is, once, or the connection ends with a refusal; what it hides never arrives."""
    liar.requests.clear()
    answer = said(alone.port, case.data)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
    honest(alone.caller, 1)
    arrived = [request for request in liar.requests if b"honest" not in request.target]
    if case.one is None:
        assert arrived == []
        assert statuses in ([b"400"], [b"505"], [b"501"], [b"404"], [b"405"], [b"404", b"400"]), answer
    else:
        [request] = arrived
        assert (request.target, request.body) == (case.own, case.one)
        assert statuses[-1] == b"200"


class Front:
    """A proxy in front of a bridge: where it listens, and what it has let through."""

    def __init__(self, port: int, passed: Callable[[], list[bytes]]) -> None:
        self.port = port
        self.passed = passed


@contextmanager
def nginx(folder: Path, port: int, bridge: Bridge) -> Iterator[Front]:
    """Run nginx, as permissive as it can be configured; one connection is kept."""
    log = folder / "passed"
    (folder / "nginx.conf").write_text(f"""
        daemon off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
        events {{}}
        http {{
            log_format passed '$upstream_addr $request_uri';
            access_log {log} passed;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;
            client_body_timeout 1s; client_header_timeout 1s;
            upstream bridge {{ server 127.0.0.1:{bridge.port}; keepalive 1; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://bridge; proxy_http_version 1.1; proxy_set_header Connection "";
                    proxy_request_buffering off;
                }}
            }}
        }}""")
    command = [needed("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]

    def passed() -> list[bytes]:
        lines = log.read_bytes().splitlines() if log.exists() else []
        return [line.partition(b" ")[2] for line in lines if not line.startswith(b"- ")]

    with running(command, port):
        yield Front(port, passed)


@contextmanager
def haproxy(folder: Path, port: int, bridge: Bridge) -> Iterator[Front]:
    """Run HAProxy, as permissive as it can be configured; connections are shared by all.

    A caller's idle connection outlives the wait for an answer that never comes: closed in the same moment, it
    would end the caller's next request.
    """
    log = folder / "passed"
    (folder / "haproxy.cfg").write_text(f"""
        global
            log stdout format raw local0
        defaults
            mode http
            log global
            timeout client 1s
            timeout server 5s
            timeout connect 5s
            timeout http-request 1s
            timeout http-keep-alive 60s
            option accept-invalid-http-request
            option http-keep-alive
            http-reuse always
        frontend callers
            bind 127.0.0.1:{port}
            log-format "%s %{{+Q}}r"
            default_backend bridge
        backend bridge
            server bridge 127.0.0.1:{bridge.port}
        \n""")

    def passed() -> list[bytes]:
        lines = log.read_bytes().splitlines()
        return [line.split(b" ")[2] for line in lines if line.startswith(b"bridge ")]

    with (
        log.open("wb") as out,
        running([needed("haproxy"), "-f", str(folder / "haproxy.cfg")], port, out.fileno()),
    ):
        yield Front(port, passed)


@contextmanager
def running(command: list[str], port: int, out: int = subprocess.DEVNULL) -> Iterator[None]:
    """Run a server for as long as the block lasts."""
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)

    def listens() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    try:
        until(listens, "a front that listens")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


FRONTS = {"nginx": nginx, "haproxy": haproxy}


@pytest.mark.parametrize("name", FRONTS)
def test_a_front_and_the_bridge_read_alike(liar: Liar, tmp_path: Path, name: str) -> None:
    """What a proxy lets through is one request to both: none arrives that it did not see, each gets its answer.

    What it lets through is its own matter, and its log tells.
    """
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with (
        a_bridge(*liar.flags, "--allowed-hosts", "bridge") as bridge,
        FRONTS[name](tmp_path, port, bridge) as front,
    ):
        liar.requests.clear()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE) as caller:
            honest(caller, 1)
            for case in CASES:
                said(port, case.data, _A_WHILE)
                honest(caller, 1)
            for data in SMUGGLED.values():
                said(port, data, _A_WHILE)
                honest(caller, 1)
        arrived = [request.target for request in liar.requests]

        def unseen() -> Counter[bytes]:
            passed = Counter(target.replace(b"/openai", b"", 1) for target in front.passed())
            return Counter(arrived) - passed

        until(lambda: not unseen(), f"the front's word for {unseen()}")
        assert not [target for target in arrived if b"admin" in target]
        # Otherwise this shows nothing.
        assert sum(b"honest" not in target for target in arrived) > 5
