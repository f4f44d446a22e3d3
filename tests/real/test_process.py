"""`aibridge serve` as a process: how it starts, what it refuses to start with, and how it ends."""

from __future__ import annotations

import array
import fcntl
import json
import os
import re
import signal
import socket
import stat
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ASK, CHAT, PATIENCE, TEXT, Bridge, Provider, a_bridge, run, until

pytestmark = pytest.mark.real

STREAMED: Any = {"model": "m", "messages": ASK, "stream": True}
UNARY: Any = {"model": "m", "messages": ASK}
BOTH = pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


@contextmanager
def stalled(bridge: Bridge, provider: Provider) -> Iterator[Iterator[bytes]]:
    """Hold a stream of which something has come, and more never will."""
    provider.script({"fault": "stall", "after": 3})
    with bridge.holding("sk-caller") as pieces:
        yield pieces


def refuses(port: int) -> bool:
    """Whether connections are refused there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def complains(*arguments: str, **environ: str) -> str:
    """The one line that a mistake gets, of a command that ends with status 2."""
    done = run(*arguments, **environ)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("aibridge: ")
    return line


# Starting


def test_the_first_line_says_where_and_what() -> None:
    """The start line names both listeners and every protection that is on."""
    limits = ("--max-concurrency", "7", "--rate-limit", "3", "--circuit-breaker")
    with a_bridge(*limits, "--circuit-breaker-window", "5s") as bridge:
        line = json.loads(bridge.process.lines[0])
        assert (line["event"], line["level"]) == ("start", "info")
        assert bridge.url in line["detail"]
        assert bridge.admin_url in line["detail"]
        protections = "at most 7 in flight, 3 requests/s a caller, circuit breakers (5 failures in 5 s)"
        _, _, said = line["detail"].partition("protections: ")
        assert said.split("; ")[0] == protections
        assert bridge.admin.get("/readyz").status_code == 200
        assert bridge.caller.get("/").status_code == 200


def test_a_bridge_without_protections_says_so() -> None:
    """The first line says which protections are off, in a form that people read."""
    with a_bridge(log_format="human") as bridge:
        said = bridge.process.says("none is on")
        assert all(flag in said.string for flag in ("--max-concurrency", "--rate-limit", "--circuit-breaker"))


def test_settings_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    """Flag before environment before file, in the real process too."""
    (tmp_path / "aibridge.toml").write_text("max_concurrency = 1\nrate_limit = 1\ncircuit_breaker = true\n")
    file = str(tmp_path / "aibridge.toml")
    with a_bridge("--max-concurrency", "3", AIBRIDGE_CONFIG=file, AIBRIDGE_RATE_LIMIT="2") as bridge:
        assert "at most 3 in flight, 2 requests/s a caller, circuit" in bridge.process.lines[0]


@pytest.mark.parametrize("flag", ["--bind", "--admin-bind"])
def test_a_port_in_use_is_a_mistake(flag: str) -> None:
    """A port that another program holds is one line that names the flag."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        binds = {"--bind": "127.0.0.1:0", "--admin-bind": "127.0.0.1:0"} | {flag: address}
        line = complains("serve", *(word for pair in binds.items() for word in pair))
    assert line.startswith(f"aibridge: {flag}: cannot listen on {address}: the port is in use")


def test_of_several_addresses_the_one_in_use_is_named(tmp_path: Path) -> None:
    """The others are given back: the socket's file is gone."""
    path = f"/tmp/aibridge-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = complains("serve", "--bind", f"unix:{path},127.0.0.1:0", "--bind", address)
    assert line.startswith(f"aibridge: --bind: cannot listen on {address}: the port is in use")
    assert not Path(path).exists()


def test_callers_are_served_at_every_address(provider: Provider) -> None:
    """TCP and a unix socket beside each other; the start line has both; the socket's file goes with the bridge."""
    path = f"/tmp/aibridge-test-{os.getpid()}"
    with a_bridge("--bind", f"unix:{path}", "--bind-mode", "0600", provider=provider) as bridge:
        assert f" and unix:{path}, admin on " in bridge.process.lines[0]
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://localhost") as caller:
            answers = [caller.post(CHAT, json={"model": "m", "messages": []}), bridge.caller.get("/")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert [line["caller"] for line in bridge.requests(1)][:1] == ["unix"]
    assert not Path(path).exists()


def test_both_listeners_on_one_port_is_a_mistake() -> None:
    """A port that the bridge itself holds is in use as well."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = f"127.0.0.1:{found.getsockname()[1]}"
    assert "--admin-bind" in complains("serve", "--bind", address, "--admin-bind", address)


@pytest.mark.parametrize(
    ("arguments", "environ", "file", "pattern"),
    [
        (["--openai-base-url", "localhost:4010"], {}, "", r"--openai-base-url: .*https?://"),
        ([], {}, "rate_limits = 1\n", r"aibridge.toml:1:1: rate_limits: unknown key; did you mean rate_limit\?"),
        ([], {"AIBRIDGE_RATELIMIT": "1"}, "", r"AIBRIDGE_RATELIMIT: unknown variable; .*AIBRIDGE_RATE_LIMIT"),
        (["--idle-timeout", "5"], {}, "", r"--idle-timeout: "),
        ([], {"AIBRIDGE_MAX_CONCURRENCY": "many"}, "", r"AIBRIDGE_MAX_CONCURRENCY: "),
        (["--bind", "0.0.0.0:0"], {"OPENAI_API_KEY": "sk-c"}, "", r"--bind: .*--allow-anonymous"),
        (["--admin-bind", "0.0.0.0:0"], {}, "", r"--admin-bind: .*--admin-token-file"),
        (["--upstream-ca", "/nowhere.pem"], {}, "", r"--upstream-ca: "),
        (["--no-such-thing"], {}, "", r"--no-such-thing: unknown option"),
    ],
)
def test_a_mistake_starts_nothing(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], file: str, pattern: str
) -> None:
    """Wrong configuration is one line that says where and how to mend it, whatever the source."""
    if file:
        (tmp_path / "aibridge.toml").write_text(file)
        arguments = [*arguments, "--config", str(tmp_path / "aibridge.toml")]
    assert re.search(pattern, complains("serve", *arguments, **environ))


# Ending


@BOTH
def test_an_idle_bridge_ends_at_once(signum: int) -> None:
    """A signal ends an idle bridge with status 0, kept connections and an operator's open stream or not."""
    with a_bridge() as bridge:
        assert bridge.caller.get("/").status_code == 200
        with bridge.admin.stream("GET", "/status/stream") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: status"
            bridge.process.signal(signum)
            assert bridge.process.wait() == 0
            with suppress(httpx.TransportError):  # it may end in the middle of a frame
                for line in lines:
                    assert line.partition(":")[0] in ("", "event", "data")
        events = [json.loads(line)["event"] for line in bridge.process.lines]
        assert events == ["start", "request", "drain", "stop"]


@BOTH
def test_a_running_stream_finishes(provider: Provider, signum: int) -> None:
    """After a signal a running stream is served to its end, while no other request is admitted; then status 0."""
    words = [f"word {n} " for n in range(12)]
    provider.script({"chunks": words, "chunk_delay": 0.05})
    with a_bridge(provider=provider) as bridge:
        with bridge.caller.stream("POST", CHAT, json=STREAMED) as answer:
            pieces = answer.iter_text()
            heard = next(pieces)
            bridge.admin.get("/healthz")  # what is open stays; nothing is let in behind it
            bridge.process.signal(signum)
            until(lambda: refuses(bridge.port), "the listener closed")
            status = bridge.admin.get("/status").json()
            assert (status["draining"], status["concurrency"]["in_flight"]) == (True, 1)
            heard += "".join(pieces)
        assert heard == "".join(words)
        assert bridge.process.wait() == 0


def test_a_call_that_waits_for_its_answer_is_served(provider: Provider) -> None:
    """A unary request whose provider still thinks when the signal comes gets its answer."""
    provider.script({"delay": 0.5})
    answers: list[httpx.Response] = []
    with a_bridge(provider=provider) as bridge:
        caller = threading.Thread(target=lambda: answers.append(bridge.caller.post(CHAT, json=UNARY)))
        caller.start()
        until(lambda: provider.stats()["in_flight"] == 1, "the request at the provider")
        bridge.process.signal()
        caller.join(PATIENCE)
        assert bridge.process.wait() == 0
    assert answers[0].json()["choices"][0]["message"]["content"] == TEXT


@BOTH
def test_the_drain_delay_and_the_second_signal(provider: Provider, signum: int) -> None:
    """During the drain delay load balancers see it first: not ready, alive; requests are served, and say goodbye.

    What runs goes on. A second signal ends it all at once, with status 1.
    """
    flags = ("--drain-delay", "1m", "--graceful-timeout", "1m")
    with a_bridge(*flags, provider=provider) as bridge, stalled(bridge, provider) as pieces:
        bridge.process.signal(signum)
        until(lambda: bridge.admin.get("/readyz").status_code == 503, "not ready")
        assert bridge.admin.get("/healthz").status_code == 200
        for _ in range(3):
            answer = bridge.caller.post(CHAT, json=UNARY, headers={"authorization": "Bearer sk-caller"})
            assert answer.status_code == 200
            assert answer.headers["connection"].lower() == "close"
        assert bridge.in_flight() == 1
        assert provider.stats()["requests"] == 4
        bridge.process.signal(signum)
        assert bridge.process.wait() == 1
        with pytest.raises(httpx.TransportError):
            next(pieces)


def test_a_successor_can_listen_while_answers_finish(provider: Provider) -> None:
    """After the delay both ports are free; the stream goes on to its end, and so does an open admin connection."""
    with a_bridge("--graceful-timeout", "1m", provider=provider) as bridge:
        provider.script({"tokens": 400_000})
        bridge.admin.get("/healthz")
        with bridge.holding("sk-caller") as pieces:
            bridge.process.signal()
            until(lambda: refuses(bridge.port), "the callers' port free")
            ports = [bridge.port, int(bridge.admin_url.rpartition(":")[2])]
            until(lambda: refuses(ports[1]), "the admin's port free")
            for port in ports:
                socket.create_server(("127.0.0.1", port)).close()
            assert bridge.status()["draining"] is True
            assert b"[DONE]" in b"".join(pieces)
        assert bridge.process.wait() == 0


def test_sighup_is_ignored_under_nohup(provider: Provider) -> None:
    """As it was when it started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with a_bridge(provider=provider) as bridge:
            bridge.process.signal(signal.SIGHUP)
            time.sleep(0.3)
            assert bridge.admin.get("/readyz").status_code == 200
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_drain_delay_ends(provider: Provider) -> None:
    """When the drain delay is over and nothing runs, the bridge ends by itself with status 0."""
    with a_bridge("--drain-delay", "300ms", provider=provider) as bridge:
        started = time.perf_counter()
        bridge.process.signal()
        assert bridge.process.wait() == 0
        assert time.perf_counter() - started >= 0.3


def test_the_grace_ends(provider: Provider) -> None:
    """What still runs when the grace is over is cut uncleanly, here and at the provider; the status is 0."""
    with a_bridge("--graceful-timeout", "300ms", provider=provider) as bridge:
        with stalled(bridge, provider) as pieces:
            bridge.process.signal()
            with pytest.raises(httpx.TransportError):
                next(pieces)
        assert bridge.process.wait() == 0
        (line,) = bridge.requests()
        assert (line["status"], line["verdict"]) == (200, "success")  # by its first word
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")


def test_a_silent_call_is_cut_neutrally(provider: Provider) -> None:
    """A shutdown says nothing about the provider: what it cuts before a verdict is neutral."""
    provider.script({"delay": 60})
    with a_bridge("--graceful-timeout", "200ms", "--circuit-breaker", provider=provider) as bridge:
        caller = threading.Thread(target=_give_up, args=(bridge,))
        caller.start()
        until(lambda: provider.stats()["in_flight"] == 1, "the request at the provider")
        bridge.process.signal()
        assert bridge.process.wait() == 0
        caller.join(PATIENCE)
        (line,) = bridge.requests()
        assert line["verdict"] in (None, "neutral")


def _give_up(bridge: Bridge) -> None:
    with suppress(httpx.TransportError):
        bridge.caller.post(CHAT, json=UNARY)


def test_who_reads_nothing_does_not_hold_it_up(provider: Provider) -> None:
    """A caller that stopped reading a long stream can't keep the bridge from ending after its grace."""
    provider.script({"tokens": 10_000_000})
    with a_bridge("--graceful-timeout", "200ms", provider=provider) as bridge, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", bridge.port))
        content = json.dumps(STREAMED).encode()
        deaf.sendall(b"POST %s HTTP/1.1\r\nhost: localhost\r\n" % CHAT.encode())
        deaf.sendall(b"content-length: %d\r\n\r\n%s" % (len(content), content))
        until(lambda: _waiting(deaf) > 0, "the answer")
        _stands_still(provider)
        bridge.process.signal()
        assert bridge.process.wait() == 0
    until(lambda: provider.stats()["in_flight"] == 0, "cancelled upstream")


def _waiting(sock: socket.socket) -> int:
    """How many bytes have arrived unread."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def _stands_still(provider: Provider) -> None:
    """Wait until backpressure has reached the provider: it spends no time on its stream any more."""
    stat = Path(f"/proc/{provider.process.pid}/stat")

    def spent() -> int:
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    def still() -> bool:
        before = spent()
        time.sleep(0.1)
        return spent() == before

    until(still, "a provider that waits")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: [::1]\r\nupgrade: h2c\r\nhttp2-settings: AAMAAAB\r\nconnection: upgrade\r\n\r\n",
        b"\0" * 1000,
    ],
    ids=["nothing", "half a line", "a request", "HTTP/2", "a WebSocket", "h2c", "garbage"],
)
def test_who_stays_does_not_hold_it_up(said: bytes) -> None:
    """A peer that says something strange, or nothing, and stays, is no reason to wait for the grace's end."""
    with a_bridge("--graceful-timeout", "1m") as bridge, bridge.stranger() as stranger:
        stranger.sendall(said)
        assert bridge.caller.get("/").status_code == 200  # the bridge has read the stranger's bytes before
        bridge.process.signal()
        assert bridge.process.wait() == 0


def test_a_broken_answer_leaves_no_connection_behind(provider: Provider) -> None:
    """A connection whose answer broke off ends with it, though more requests stand behind; nothing lingers."""
    provider.script({"fault": "truncate", "after": 3})
    content = json.dumps(STREAMED).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    with a_bridge("--graceful-timeout", "1m", provider=provider) as bridge, bridge.stranger() as caller:
        caller.sendall((head + content) * 2)
        heard = b""
        with suppress(ConnectionError):
            while piece := caller.recv(65536):
                heard += piece
        assert heard.count(b"HTTP/1.1 200") == 1
        assert not heard.endswith(b"0\r\n\r\n")
        bridge.process.signal()
        assert bridge.process.wait() == 0


def test_an_unread_stderr_does_not_stop_requests(provider: Provider) -> None:
    """When the log's reader is gone, requests go on, and the end is as usual."""
    with a_bridge(provider=provider) as bridge:
        bridge.process.deafen()
        for _ in range(3):
            assert bridge.caller.post(CHAT, json=UNARY).status_code == 200
            until(lambda: len(bridge.process.lines) == 2, "the last line that was read")
        assert bridge.status()["requests"]["total"] == 3
        bridge.process.signal()
        assert bridge.process.wait() == 0
