"""`aibridge top` without a screen: one frame, lines of JSON, pipes."""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

from tests.support.dashboard import (
    FOOT,
    FORCED,
    SCHEMA,
    admin_on,
    free_port,
    piped,
    providers,
)
from tests.support.processes import PATIENCE, Bridge, until
from tests.support.screen import (
    AIBRIDGE,
    CTRL_C,
    ENTER_ALTERNATE,
    HIDE_CURSOR,
    at_home,
    on_screen,
    top,
)

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("healed")]


def test_once_on_a_terminal(narrow: Bridge) -> None:
    """--once leaves one frame, in colour, on the normal screen, with nothing taken over, and status 0."""
    with top(narrow.admin_url, "--once", "--interval", "2s", size=(80, 120)) as screen:
        assert screen.ended() == 0
        assert screen.given_back()
        assert ENTER_ALTERNATE not in screen.raw
        assert HIDE_CURSOR not in screen.raw
        assert screen.lines[0].startswith("aibridge ")
        assert "rates over 2s" in screen.lines[0]
        assert len(providers(screen)) == 3
        assert not re.search(FOOT, screen.text, re.MULTILINE)
        assert screen.styled("closed").fg == "green"


@pytest.mark.parametrize("environ", [{}, FORCED], ids=["as it is", "colours forced"])
@pytest.mark.parametrize("flags", [("--once",), (), ("--once", "--json")], ids=["--once", "none", "--once --json"])
def test_no_control_code_leaves_a_pipe(narrow: Bridge, flags: tuple[str, ...], environ: dict[str, str]) -> None:
    """What is no terminal gets plain lines and the end, whatever variables say of colours."""
    done = piped("top", "--url", narrow.admin_url, *flags, **environ)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert text.replace("\n", "").isprintable()
    if "--json" in flags:
        (line,) = text.splitlines()
        jsonschema.validate(json.loads(line), SCHEMA)
    else:
        assert text.startswith("aibridge ")
        assert max(map(len, text.splitlines())) <= 80
        assert re.search("^▸openai +closed ", text, re.MULTILINE)
        assert text.count("aibridge ") == 1


@pytest.mark.parametrize("flag", ["--once", "--json"])
def test_no_bridge_to_print(flag: str) -> None:
    """Without a bridge to begin with there is one line on stderr, and status 1."""
    url = f"http://127.0.0.1:{free_port()}"
    done = piped("top", flag, "--url", url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"aibridge: no bridge answers at {url} (connection refused); see --url\n"


def test_a_line_leaves_at_once() -> None:
    """A document is passed on when it comes, and not when there are enough of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as both:
        listener.settimeout(2 * PATIENCE)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [*AIBRIDGE, "top", "--json", "--url", url]
        popen = both.enter_context(subprocess.Popen(command, env=at_home(), stdout=subprocess.PIPE))
        both.callback(popen.kill)
        watcher = both.enter_context(listener.accept()[0])
        watcher.recv(65536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        watcher.sendall(head + b'event: status\ndata: {"schema": 1}\n\n')
        assert popen.stdout
        assert select.select([popen.stdout], [], [], PATIENCE)[0]
        assert popen.stdout.readline() == b'{"schema":1}\n'
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nor was it lost patience with


def test_the_callers_port(bridge: Bridge) -> None:
    """With the callers' port, the error says that the admin listener has another."""
    done = piped("top", "--once", "--url", bridge.url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"that is where callers connect; the admin listener has another port" in done.stderr


def test_lines_of_json(tmp_path: Path) -> None:
    """--json is a document a line; a bridge that goes is reported on stderr and found again; Ctrl-C is 130."""
    port = free_port()
    out, err = tmp_path / "out", tmp_path / "err"
    script = f'exec "$@" >{out} 2>{err}'
    command = (*AIBRIDGE, "top", "--json", "--interval", "500ms", "--url", f"http://127.0.0.1:{port}")
    with ExitStack() as first:
        process = first.enter_context(admin_on(port))
        with on_screen("sh", "-c", script, "sh", *command) as screen:
            until(lambda: out.exists() and out.read_text().count("\n") >= 2, "two documents")
            process.signal(signal.SIGKILL)
            until(lambda: err.read_text().endswith("\n"), "a complaint")
            before = out.read_text().count("\n")
            first.close()
            with admin_on(port):
                until(lambda: out.read_text().count("\n") > before, "another document")
                screen.press(CTRL_C)
                assert screen.ended() == 130
            assert not screen.raw.replace(b"^C", b"")
    for line in err.read_text().splitlines():
        assert re.fullmatch(rf"aibridge: no bridge at http://127.0.0.1:{port} \(.+\); trying again", line)
    documents = [json.loads(line) for line in out.read_text().splitlines()]
    for document in documents:
        jsonschema.validate(document, SCHEMA)
    assert documents[0]["started_at"] == documents[1]["started_at"] < documents[-1]["started_at"]


@pytest.mark.parametrize("flags", ["--json", "--once"])
def test_a_reader_that_leaves(bridge: Bridge, flags: str) -> None:
    """A reader that leaves after the first line gets it, and there is no error."""
    script = f'"$@" {flags} | head -n 1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *AIBRIDGE, "top", "--url", bridge.admin_url],
        env=at_home(),
        capture_output=True,
        timeout=6 * PATIENCE,
        check=True,
    )
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1


def test_a_mistake(bridge: Bridge) -> None:
    """A mistake is one line and status 2, on an untouched terminal."""
    with top(bridge.admin_url, "--interval", "soon") as screen:
        assert screen.ended() == 2
        assert screen.given_back()
        assert b"\x1b" not in screen.raw
        assert screen.text.strip().startswith("aibridge: --interval: ")
