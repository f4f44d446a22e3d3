"""The tools that strangers bring: slowhttptest and h2load against the real program, for a few seconds each."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.real.test_network import identity, secure
from tests.support.processes import ASK, CHAT, PATIENCE, Bridge
from tests.support.shells import needed
from tests.support.unharmed import served, unharmed

__all__ = ["identity", "secure"]

pytestmark = pytest.mark.real

SLOW = {
    "heads": ("-H", "-i", "1", "-t", "GET"),
    "bodies": ("-B", "-i", "1", "-t", "POST", "-s", "8192", "-x", "10"),
    "ranges": ("-R", "-t", "HEAD", "-a", "10", "-b", "3000"),
    "reading": ("-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3", "-t", "GET"),
}


@pytest.mark.parametrize("what", SLOW)
def test_slow_callers_by_the_hundred_starve_no_other_caller(bridge: Bridge, what: str) -> None:
    """slowhttptest: heads, bodies, ranges and reading, slowly; honest callers are served all the while."""
    target = CHAT if what == "bodies" else "/openai/v1/models"
    attack = [needed("slowhttptest"), "-c", "300", "-r", "300", "-l", "3", "-p", "3", "-u", bridge.url + target]
    with unharmed(bridge):
        process = subprocess.Popen(
            [*attack, *SLOW[what]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        count = 0
        while process.poll() is None:
            assert served(bridge)
            count += 1
        assert process.stdout
        said = process.stdout.read()
        process.stdout.close()
        assert re.search(r"service available:.*YES", said), said
        assert count > 10


def h2load(*arguments: str) -> dict[str, int]:
    """Run it; return how many requests became what."""
    done = subprocess.run(
        [needed("h2load"), *arguments], capture_output=True, text=True, timeout=6 * PATIENCE, check=False
    )
    [line] = re.findall(r"^requests: (.*)$", done.stdout, re.MULTILINE)
    return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", line)}


def test_a_load_in_http_1_1_is_served(bridge: Bridge, tmp_path: Path) -> None:
    """h2load --h1: every one of thousands, unary and streamed, succeeds."""
    with unharmed(bridge):
        assert h2load("--h1", "-n", "2000", "-c", "50", bridge.url)["succeeded"] == 2000
        for stream in (False, True):
            body = tmp_path / "body"
            body.write_text(json.dumps({"model": "m", "messages": ASK, "stream": stream}))
            load = h2load("--h1", "-n", "500", "-c", "50", "-d", str(body), bridge.url + CHAT)
            assert load["succeeded"] == 500


def test_http_2_is_refused_without_harm(bridge: Bridge, secure: Bridge) -> None:
    """h2load in HTTP/2, by prior knowledge and over TLS: none of its requests is served, and all others are."""
    for each, wants in ((bridge, ()), (secure, ("--npn-list", "h2"))):
        with unharmed(each):
            assert h2load("-n", "100", "-c", "20", "-m", "10", *wants, each.url)["succeeded"] == 0
            assert served(each)


def test_who_would_rather_speak_http_2_speaks_http_1_1(secure: Bridge) -> None:
    """Over TLS both are asked for, and the one that is spoken here is agreed on."""
    with unharmed(secure):
        assert h2load("-n", "100", "-c", "20", "--npn-list", "h2,http/1.1", secure.url)["succeeded"] == 100
