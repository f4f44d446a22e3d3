"""`serve` as a process: it says where it is, and goes quietly."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from aibridge_trio.mock import MockOptions

_PROGRAM = "from aibridge_trio.mock import *; raise SystemExit(serve(MockOptions(bind=Loopback(port=0))))"


@pytest.mark.real
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_by_a_signal(signum: signal.Signals) -> None:
    """One line on stderr tells the base URLs; a signal ends it with 0 and no word, streams in flight or not."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        found = re.search(
            r"on (http://127\.0\.0\.1:\d+) \(base URLs: OpenAI \1/v1, Anthropic and Copilot \1\)", line
        )
        assert found
        with httpx.Client(base_url=found[1], trust_env=False) as client:
            script = {"answers": [{"fault": "stall"}]}
            client.post("/mock/script", json=script)
            ask = {"model": "m", "messages": [], "stream": True}
            with client.stream("POST", "/v1/chat/completions", json=ask) as answer:
                pieces = answer.iter_raw()
                next(pieces)
                process.send_signal(signum)
                assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def test_anything_with_host_and_port_is_an_address() -> None:
    """Options take any address that has a host and a port, and default to the loopback."""
    assert MockOptions(bind=SimpleNamespace(host="::1", port=1)).bind.port == 1
    usual = MockOptions().bind
    assert (usual.host, usual.port) == ("127.0.0.1", 4010)
