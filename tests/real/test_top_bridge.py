"""`aibridge top` when its bridge is gone, drains, refuses or is no bridge."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.dashboard import (
    FOOT,
    admin_on,
    free_port,
    piped,
    providers,
    watched,
)
from tests.support.processes import Bridge, Provider, a_bridge
from tests.support.screen import (
    AIBRIDGE,
    at_home,
    on_screen,
    top,
)

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("healed")]


def test_a_bridge_that_goes_and_comes_back(provider: Provider) -> None:
    """Without the bridge it says so and keeps the last picture; it finds the next one itself, and counts anew."""
    port = free_port()
    with ExitStack() as first:
        process = first.enter_context(admin_on(port))
        with top(f"http://127.0.0.1:{port}") as screen:
            screen.shows("^all well")
            screen.press("o")
            screen.shows("^openai: force open")
            screen.press("y")
            screen.shows("^▸openai +FORCED OPEN")
            process.signal(signal.SIGKILL)
            screen.shows(
                r"^NO BRIDGE: (it hung up|connection refused|connection reset by peer), last word \d+s ago; "
            )
            screen.shows(r"^NO BRIDGE: connection refused, last word \d+s ago; trying again")
            assert screen.styled("NO BRIDGE").fg == "red"
            assert "▸openai    FORCED OPEN" in screen.text
            assert screen.styled("FORCED OPEN").fg == "default"
            first.close()
            with admin_on(port):
                screen.shows("^all well")
                screen.shows("^▸openai +closed")
                screen.shows("^requests +--/s +0 ")
                assert "-1" not in screen.text
                screen.press("q")
                assert screen.ended() == 0


def test_started_before_the_bridge() -> None:
    """Without a bridge to begin with it waits, says for what, and shows the bridge as soon as there is one."""
    port = free_port()
    with top(f"http://127.0.0.1:{port}") as screen:
        screen.shows("^NO BRIDGE: connection refused; trying again")
        screen.press("jor<?")
        screen.shows("any key goes back")
        screen.press("x")
        with admin_on(port):
            screen.shows("^all well")
            assert len(providers(screen)) == 3


def test_the_bridge_drains_past_its_watchers(provider: Provider) -> None:
    """A dashboard that watches does not hold up the bridge's end, and is nothing that it complains of."""
    with a_bridge("--graceful-timeout", "1m", provider=provider) as bridge, watched(bridge.admin_url) as screen:
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 0
        screen.shows("^NO BRIDGE: ")
        events = [json.loads(line)["event"] for line in bridge.process.lines]
        assert events == ["start", "drain", "stop"]


def test_a_drain_is_seen(provider: Provider) -> None:
    """While the bridge drains the dashboard says so."""
    with a_bridge("--drain-delay", "1m", provider=provider) as bridge, watched(bridge.admin_url) as screen:
        bridge.process.signal(signal.SIGTERM)
        screen.shows(r"\A.*\nDRAINING")
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 1


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge whose admin listener asks for a token."""
    file = tmp_path_factory.mktemp("guarded") / "token"
    file.write_text("hunter2-canary")
    with a_bridge("--admin-token-file", str(file), token="hunter2-canary") as bridge:
        yield bridge


def test_the_token(guarded: Bridge) -> None:
    """A guarded bridge is shown to who has its token, which is seen nowhere."""
    with watched(guarded.admin_url, AIBRIDGE_ADMIN_TOKEN="hunter2-canary") as screen:
        screen.press("?x")
        screen.press("q")
        assert screen.ended() == 0
        assert b"hunter2" not in screen.raw


@pytest.mark.parametrize(
    ("environ", "remedy"),
    [
        ({}, "set AIBRIDGE_ADMIN_TOKEN"),
        ({"AIBRIDGE_ADMIN_TOKEN": "wrong-canary"}, "AIBRIDGE_ADMIN_TOKEN has another token"),
    ],
    ids=["no token", "a wrong one"],
)
def test_a_refused_token(guarded: Bridge, environ: dict[str, str], remedy: str) -> None:
    """Without the right token it ends with 1 and one line that names the variable, the terminal as it was."""
    with top(guarded.admin_url, size=(200, 24), **environ) as screen:
        assert screen.ended() == 1
        assert screen.given_back()
        (line,) = screen.text.strip().splitlines()
        assert line.startswith(f"aibridge: {guarded.admin_url} refused: ")
        assert line.endswith(f"(401); {remedy}")
        assert b"canary" not in screen.raw


def test_the_address_from_the_environment(bridge: Bridge) -> None:
    """AIBRIDGE_ADMIN_URL says where the bridge is."""
    with on_screen(*AIBRIDGE, "top", AIBRIDGE_ADMIN_URL=f"{bridge.admin_url}/") as screen:
        screen.shows(FOOT)
        assert f"{bridge.admin_url} " in screen.lines[0]


@contextmanager
def a_stranger(status: int, kind: str, body: str) -> Iterator[str]:
    """Run a server that gives every request the same answer; yields its URL."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


STRANGERS = pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", "<h1>Not here</h1>"),
        (200, "text/html", "<h1>Welcome</h1>"),
        (200, "application/json", '{"hello": "world"}'),
        (200, "application/json", "[1]"),
        (200, "text/event-stream", 'event: status\ndata: {"schema": 1, "version": "\\u001b[31mred"}\n\n'),
        (200, "text/event-stream", 'event: status\ndata: {"schema": 99}\n\n'),
    ],
    ids=["404", "a page", "JSON", "a list", "half a status", "a schema of another time"],
)


@STRANGERS
def test_a_stranger(status: int, kind: str, body: str) -> None:
    """Where something else answers, the dashboard says so and goes on trying; nothing of it is shown."""
    with a_stranger(status, kind, body) as url, top(url, size=(120, 24)) as screen:
        screen.shows("^NO BRIDGE: .*(no AI Bridge|no status of an AI Bridge|has schema 99).*; trying again")
        assert not re.search("hello|Welcome|Not here|red", screen.text)
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize("flag", ["--once", "--json"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, "text/html"), (200, "text/html"), (200, "application/json"), (200, "text/event-stream")],
)
def test_a_stranger_without_a_screen(status: int, kind: str, flag: str) -> None:
    """Where something else answers, one frame or a line of JSON is one line on stderr and status 1 instead."""
    with a_stranger(status, kind, "<p>" if "html" in kind else "{}") as url:
        done = piped("top", flag, "--url", url)
    assert (done.returncode, done.stdout) == (1, b"")
    why = rf"aibridge: no bridge answers at {url} \((.*no (status of an )?AI Bridge.*|it hung up)\); see --url\n"
    assert re.fullmatch(why, done.stderr.decode())


SILENCE = """
import sys
from aibridge_trio.admin import client
from aibridge_trio.cli import main as cli
client._TIMEOUT = 0.2
sys.exit(cli.main(sys.argv[1:]))
"""


def test_silence() -> None:
    """A server without an answer is named after the deadline, on the screen and without one."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        command = (sys.executable, "-c", SILENCE, "top", "--url", url)
        with on_screen(*command) as screen:
            screen.shows(r"^NO BRIDGE: no word for 0\.2 s; trying again")
            screen.press("q")
            assert screen.ended() == 0
        done = subprocess.run([*command, "--once"], env=at_home(), capture_output=True, check=False, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"aibridge: no bridge answers at {url} (no word for 0.2 s); see --url\n"
