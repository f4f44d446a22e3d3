"""A configuration that is reread while callers are served, in real processes and over real sockets."""

from __future__ import annotations

import json
import os
import pty
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.net.test_tls_contexts import files_of
from tests.net.test_tls_upstream_ca import signed
from tests.support.processes import (
    ASK,
    CHAT,
    PATIENCE,
    PROGRAM,
    START,
    Bridge,
    Process,
    Provider,
    a_bridge,
    a_provider,
    run,
    until,
)
from tests.support.service_manager import Load

pytestmark = pytest.mark.real


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file."""
    path = tmp_path / "aibridge.toml"
    path.write_text("max_concurrency = 50\n")
    return path


@pytest.fixture(scope="module")
def another() -> Iterator[Provider]:
    """A second provider."""
    with a_provider() as provider:
        yield provider


def reloads(bridge: Bridge) -> list[dict[str, Any]]:
    """The log's lines about reloads."""
    lines = [json.loads(line) for line in tuple(bridge.process.lines)]
    return [line for line in lines if line["event"] == "reload"]


def logged(bridge: Bridge, least: int) -> bool:
    """Whether so many reloads are in the log."""
    return len(reloads(bridge)) >= least


def reload(bridge: Bridge) -> tuple[int, str, str]:
    """Run `aibridge reload`: status, what it prints, and its error."""
    done = run("reload", "--url", bridge.admin_url)
    return done.returncode, done.stdout, done.stderr


def test_the_difference_is_printed_and_logged(file: Path) -> None:
    """A line for each option, and one for what cannot change; then nothing has changed."""
    with a_bridge("--config", str(file)) as bridge:
        file.write_text('max_concurrency = 7\nbind_mode = "0600"\n')
        status, said, _ = reload(bridge)
        assert status == 0
        assert said.splitlines() == [
            "--max-concurrency: 50 → 7",
            "--bind-mode: 0660 → 0600: it stays as it was, because the sockets' files are there already",
        ]
        assert bridge.metric("aibridge_max_concurrency") == 7
        assert reload(bridge)[1].splitlines()[0].startswith("--bind-mode: ")
        assert [line["outcome"] for line in reloads(bridge)] == ["applied", "applied"]


def test_a_mistake_changes_nothing_and_says_where_it_is(file: Path) -> None:
    """The status is that of a wrong configuration; the bridge goes on with the one before."""
    with a_bridge("--config", str(file)) as bridge:
        file.write_text("max_concurrency = 7\nrate_limt = 5\n")
        status, said, error = reload(bridge)
        assert (status, said) == (2, "")
        assert error.startswith("aibridge: nothing is changed: ")
        assert "rate_limt: unknown key; did you mean rate_limit?" in error
        assert bridge.metric("aibridge_max_concurrency") == 50
        [line] = reloads(bridge)
        assert (line["level"], line["outcome"]) == ("error", "rejected")


def test_reloads_under_load_lose_no_request_and_cut_no_stream(
    file: Path, provider: Provider, another: Provider
) -> None:
    """While limits, protections and the provider's address change, every request gets its answer."""
    words = [f"word {n} " for n in range(40)]
    provider.script({"chunks": words, "chunk_delay": 0.1})
    texts: list[str] = []

    def stream(url: str) -> None:
        ask = {"model": "m", "messages": ASK, "stream": True}
        with httpx.stream("POST", url + CHAT, json=ask, timeout=4 * PATIENCE) as answer:
            texts.append("".join(answer.iter_text()))

    def write(number: int) -> None:
        url = (provider, another)[number % 2].url
        switch = "true" if number % 3 else "false"
        file.write_text(
            f'max_concurrency = {30 + number}\nopenai_base_url = "{url}/v1"\ncircuit_breaker = {switch}\n'
            f'adaptive = {switch}\nqueue_size = {number}\nkeep_alive_timeout = "{60 + number}s"\n'
        )

    write(0)
    with a_bridge("--config", str(file)) as bridge:
        streaming = threading.Thread(target=stream, args=(bridge.url,), daemon=True)
        streaming.start()
        until(lambda: bridge.in_flight() == 1, "the stream")
        load = Load(bridge.url)
        with load.running():
            for number in range(1, 31):
                write(number)
                bridge.process.signal(signal.SIGHUP)
                until(partial(logged, bridge, number), f"reload {number}")
                load.asked(4)
        streaming.join(4 * PATIENCE)
        assert all(line["outcome"] == "applied" for line in reloads(bridge))
        assert bridge.in_flight() == 0
    assert (load.faults, set(load.statuses)) == ([], {200})
    assert texts == ["".join(words)]


def test_a_storm_of_sighups_is_a_few_reloads(file: Path) -> None:
    """Signals that come while one is handled are one; the last configuration is the one in force."""
    with a_bridge("--config", str(file)) as bridge:
        for number in range(300):
            if number == 299:
                file.write_text("max_concurrency = 9\n")
            bridge.process.signal(signal.SIGHUP)
        until(lambda: bridge.metric("aibridge_max_concurrency") == 9, "the last configuration")
        assert bridge.caller.get("/").status_code == 200
        assert 1 <= len(reloads(bridge)) <= 300


def test_new_connections_get_the_new_certificate(tmp_path: Path, file: Path) -> None:
    """Written over the old one; a connection that is open goes on."""

    def issue(name: str) -> None:
        files_of(tmp_path, signed(name, None, authority=False))

    issue("one.example")
    flags = ("--tls-cert", str(tmp_path / "chain.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with a_bridge("--config", str(file), *flags) as bridge:

        def certificate() -> str:
            return ssl.get_server_certificate(("127.0.0.1", bridge.port))

        assert bridge.caller.get("/").status_code == 200
        before = certificate()
        issue("two.example")
        assert certificate() == before
        status, said, _ = reload(bridge)
        assert status == 0
        assert [line.endswith("has another content") for line in said.splitlines()] == [True, True]
        assert certificate() != before
        assert bridge.caller.get("/").status_code == 200
        (tmp_path / "key.pem").write_text("no key")
        status, _, error = reload(bridge)
        assert status == 2
        assert "--tls-cert: " in error
        assert bridge.caller.get("/").status_code == 200


def test_a_bridge_ends_with_its_terminal() -> None:
    """A SIGHUP because the terminal has gone is no wish to reload."""
    master, slave = pty.openpty()
    begin = (
        "import fcntl, os, sys, termios\n"
        "os.setsid()\n"
        "fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.argv[2], sys.argv[2:])\n"
    )
    words = (sys.executable, "-c", begin, str(slave), *PROGRAM)
    arguments = ("serve", "--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", "--log-format", "json")
    process = Process(*arguments, program=words, descriptors=[slave])
    try:
        process.says("listens on")
        process.signal(signal.SIGHUP)
        process.says('"event": "reload", "outcome": "applied"')
        os.close(slave)
        os.close(master)
        assert process.wait(START) == 0
        assert '"event": "drain"' in process.stderr
    finally:
        process.end(kindly=False)
