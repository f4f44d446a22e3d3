"""Three bridges, one operator: all on one screen, orders to all, and what is said of one that is not well."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import redis_servers
from tests.support.dashboard import admin_on, free_port
from tests.support.processes import PATIENCE, Bridge, a_bridge, run, until
from tests.support.screen import DOWN, ENTER, ESC, RIGHT, Screen, top

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

REPLICAS = 3
# Below the time that a client waits for a bridge that hangs, on a machine that does much else.
_IN_CONTACT = ("--store-timeout", "1s")
_TOKEN = "canary-of-the-fleet"


@contextmanager
def three(*flags: str, token: str | None = None) -> Iterator[list[Bridge]]:
    """Run three bridges with breakers."""
    with ExitStack() as stack:
        yield [stack.enter_context(a_bridge("--circuit-breaker", *flags, token=token)) for _ in range(REPLICAS)]


@pytest.fixture
def bridges() -> Iterator[list[Bridge]]:
    """Three bridges that know nothing of each other."""
    with three() as found:
        yield found


def urls(bridges: Sequence[Bridge], between: str = ",") -> str:
    """Their admin listeners, as for --url."""
    return between.join(bridge.admin_url for bridge in bridges)


def breaker(mode: str, where: str, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Order it for openai at these URLs."""
    return run("breaker", mode, "openai", "--url", where, *flags, **environ)


def overrides(bridge: Bridge) -> list[dict[str, Any]]:
    """The overrides in a bridge's events, the oldest first."""
    found = [event for event in bridge.status()["events"] if event["kind"] == "override"]
    return sorted(found, key=lambda event: event["at"])


@contextmanager
def stopped(bridge: Bridge) -> Iterator[None]:
    """Let it hang for as long as the block lasts."""
    bridge.process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        bridge.process.signal(signal.SIGCONT)


def test_an_order_reaches_all_and_ends_by_itself(bridges: list[Bridge]) -> None:
    """Each has the state, the reason, the end and an event, and is automatic again when the time is over."""
    done = breaker("open", urls(bridges, " , "), "--for", "2s", "--reason", "INC-12")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{bridge.admin_url:<{max(len(each.admin_url) for each in bridges)}}  openai: open, mode open, for 2s"
        for bridge in bridges
    ]
    for bridge in bridges:
        assert bridge.breaker()["override"]["reason"] == "INC-12"
        assert 0 < bridge.breaker()["override"]["left_s"] <= 2
        [event] = overrides(bridge)
        assert (event["to"], "INC-12" in event["because"]) == ("open", True)
    until(lambda: all(bridge.breaker()["mode"] == "auto" for bridge in bridges), "the end of the override")
    for bridge in bridges:
        assert len(overrides(bridge)) == 2


def test_with_a_store_all_know_it_once() -> None:
    """An order to each is one event at each, and later one replica is enough to reach all."""
    with (
        redis_servers.running() as server,
        three("--store", server.url, *_IN_CONTACT) as bridges,
    ):
        until(lambda: all(b.status()["store"]["replicas"] == REPLICAS for b in bridges), "they know each other")
        assert breaker("open", urls(bridges), "--for", "10m", "--reason", "INC-12").returncode == 0
        assert {bridge.breaker()["override"]["reason"] for bridge in bridges} == {"INC-12"}
        # Those that have their own order do not take the others' for a further one.
        assert [[event["to"] for event in overrides(bridge)] for bridge in bridges] == [["open"]] * REPLICAS
        assert breaker("auto", bridges[1].admin_url).returncode == 0
        until(lambda: all(bridge.breaker()["mode"] == "auto" for bridge in bridges), "one order is enough")
        assert [[event["to"] for event in overrides(each)] for each in bridges] == [["open", "auto"]] * REPLICAS


def test_what_one_did_not_do_is_named(bridges: list[Bridge]) -> None:
    """Those that answer do it; the exit status is 1, and the error says where it was not done, and why."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with stopped(bridges[1]):
        done = breaker("close", f"{urls(bridges)},{nowhere}")
    assert done.returncode == 1
    lines = {line.split()[0]: line.split("  ")[-1] for line in done.stdout.splitlines()}
    assert lines == {
        bridges[0].admin_url: "openai: closed, mode close",
        bridges[1].admin_url: "not done, no answer within 5 s",
        bridges[2].admin_url: "openai: closed, mode close",
        nowhere: "not done, connection refused",
    }
    assert done.stderr == (
        f"aibridge: not done at 2 of 4 replicas: {bridges[1].admin_url} (no answer within 5 s); "
        f"{nowhere} (connection refused)\n"
    )


def test_a_reload_reaches_all(bridges: list[Bridge]) -> None:
    """With a line for each, from the environment, too."""
    done = run("reload", AIBRIDGE_ADMIN_URL=urls(bridges))
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [bridge.admin_url for bridge in bridges]


def test_the_token_opens_all(tmp_path: Path) -> None:
    """One token for all; without it none does anything, and each says what to set."""
    file = tmp_path / "token"
    file.write_text(_TOKEN)
    with three("--admin-token-file", str(file), token=_TOKEN) as bridges:
        done = breaker("open", urls(bridges), AIBRIDGE_ADMIN_TOKEN=_TOKEN)
        assert (done.returncode, done.stdout.count("mode open")) == (0, REPLICAS)
        done = breaker("auto", urls(bridges))
        assert done.returncode == 1
        assert "not done at 3 of 3 replicas" in done.stderr
        assert done.stderr.count("set AIBRIDGE_ADMIN_TOKEN") == 1
        assert all(bridge.breaker()["mode"] == "open" for bridge in bridges)
        assert _TOKEN not in done.stdout + done.stderr


def once(where: str, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Print one frame, or with --json one line each, of these URLs."""
    return run("top", "--once", "--url", where, *flags, **environ)


def row(screen: Screen, bridge: Bridge) -> str:
    """The row of a bridge, without its mark."""
    [found] = [line for line in screen.lines if line[1:].startswith(f"{bridge.admin_url} ")]
    return found[1:].strip()


def test_one_frame_of_all(bridges: list[Bridge]) -> None:
    """A row for each; one that hangs, and one that is not there, hold up no other and are named with the cause."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with stopped(bridges[2]):
        began = time.perf_counter()
        done = once(f"{urls(bridges)},{nowhere}")
        # The interval, two seconds for those that are slow, and the start of a process on a loaded machine.
        assert time.perf_counter() - began < 3 + PATIENCE
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("aibridge  2 of 4 replicas")
    rows = {line[1:].split()[0]: line.split() for line in done.stdout.splitlines() if line[1:].startswith("http")}
    assert rows.keys() == {nowhere, *(bridge.admin_url for bridge in bridges)}
    assert "NO ANSWER from 2 of 4" in done.stdout
    assert re.search(rf"{bridges[2].admin_url} +LOST .* no answer yet", done.stdout)
    assert re.search(rf"{nowhere} +LOST .* connection refused", done.stdout)
    assert re.search(rf"{bridges[0].admin_url} +serving +own ", done.stdout)


def test_no_replica_answers() -> None:
    """It is an error that names all, and why."""
    gone = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    for flags in (), ("--json",):
        done = once(",".join(gone), *flags)
        assert done.returncode == 1
        assert done.stderr == f"aibridge: no bridge answers: {', '.join(gone)} (connection refused); see --url\n"


def test_json_of_all(bridges: list[Bridge]) -> None:
    """A line for each with its alerts, one of all, which says what differs."""
    with a_bridge("--circuit-breaker", "--rate-limit", "7") as odd:
        assert breaker("open", odd.admin_url, "--reason", "INC-12").returncode == 0
        # The same bridge by another name is the same, and counts once.
        twin = bridges[0].admin_url.replace("127.0.0.1", "localhost")
        done = once(f"{urls([*bridges, odd])},{twin}", "--json")
        *each, fleet = map(json.loads, done.stdout.splitlines())
        shown = once(f"{urls([*bridges, odd])},{twin}").stdout
    said = {line["replica"]: line["alerts"] for line in each}
    assert said.keys() == {twin, *(bridge.admin_url for bridge in [*bridges, odd])}
    assert said[bridges[0].admin_url] == []
    assert said[odd.admin_url] == ["openai FORCED OPEN, INC-12 (127.0.0.1)"]
    assert fleet["fleet"] == {"replicas": 5, "answering": 4}
    assert fleet["alerts"] == ["openai FORCED OPEN, INC-12 (127.0.0.1) at 1 of 4"]
    assert {"what": "rate limit", "usual": "none", "others": {"7": [odd.admin_url]}} in fleet["differs"]
    assert f"differs: rate limit none, but 7 at {odd.admin_url}" in shown
    assert re.search(rf"^ {twin} +twin ", shown, re.MULTILINE)


def test_the_screen_of_all(bridges: list[Bridge]) -> None:
    """Sums and rows; help that fits; a provider's breakers are forced at all, after a question."""
    with top(urls(bridges), size=(80, 24)) as screen:
        screen.shows(r"\Aaibridge  3 of 3 replicas .*every 1s")
        screen.shows("^all well")
        screen.press("?")
        screen.shows("^any key goes back")
        assert screen.lines[1].startswith("Keys")
        screen.press("x")
        screen.shows("^▸openai ")
        screen.press(RIGHT)
        screen.shows("^▸anthropic ")
        screen.press("o")
        screen.shows("^anthropic at all 3 replicas: force open and refuse its requests\\?  y yes  n no")
        screen.press("y")
        screen.shows("^anthropic: forced open at all 3 replicas")
        screen.shows("^anthropic FORCED OPEN.* at 3 of 3")
        assert [bridge.breaker("anthropic")["mode"] for bridge in bridges] == ["open"] * REPLICAS
        with stopped(bridges[1]):
            screen.press("a")
            screen.shows("^anthropic at all 3 replicas: let the breaker decide again")
            screen.press("y")
            screen.shows(f"^anthropic: not done at 1 of 3 replicas: {bridges[1].admin_url}")
        screen.shows("^anthropic FORCED OPEN.* at 1 of 3")
        assert [bridge.breaker("anthropic")["mode"] for bridge in bridges] == ["auto", "open", "auto"]
        screen.press(ENTER)
        screen.shows(rf"\Aaibridge \S+ +up \S+ +{bridges[1].admin_url} ")
        screen.press(ESC)
        screen.shows(r"\Aaibridge  3 of 3 replicas")
        screen.press("q")
        assert screen.ended() == 0


def test_one_hangs_one_is_killed_and_comes_back(bridges: list[Bridge]) -> None:
    """Each keeps its row, with the cause, above those that are well, which are shown all the time."""
    port = free_port()
    with admin_on(port) as process, top(f"{urls(bridges)},http://127.0.0.1:{port}", size=(120, 30)) as screen:
        screen.shows(r"\Aaibridge  4 of 4 replicas")
        process.signal(signal.SIGKILL)
        screen.shows(rf"^▸?.http://127.0.0.1:{port} +LOST .*connection refused, last word")
        screen.shows("^NO ANSWER from 1 of 4")
        with stopped(bridges[1]):
            screen.shows(rf"^.{bridges[1].admin_url} +silent")
            assert "serving" in row(screen, bridges[0])
            screen.shows(rf"^.{bridges[1].admin_url} +LOST .*no word for 5 s")
            screen.shows(r"\Aaibridge  2 of 4 replicas")
            assert screen.lines[4][1:].startswith(bridges[1].admin_url)
        with admin_on(port):
            screen.shows(r"\Aaibridge  4 of 4 replicas")
            screen.shows("^all well")
        screen.press(DOWN + "q")
        assert screen.ended() == 0


def test_who_is_degraded() -> None:
    """Without the store all are; a replica that cannot reach it alone is named."""
    with redis_servers.running() as server, three("--store", server.url, *_IN_CONTACT) as bridges:
        with a_bridge("--circuit-breaker", "--store", f"redis://127.0.0.1:{free_port()}") as alone:
            until(lambda: all(b.status()["store"]["condition"] == "shared" for b in bridges), "the store")
            with top(urls([*bridges, alone]), size=(120, 30)) as screen:
                screen.shows("^1 DEGRADED without the store")
                screen.shows(rf"^differs: store shared, but degraded at {alone.admin_url}")
                screen.shows(rf"^▸{alone.admin_url} +serving +degraded")
                screen.press("q")
                assert screen.ended() == 0
        assert "aibridge  3 of 3 replicas" in once(urls(bridges)).stdout


def test_the_screen_has_the_token(tmp_path: Path) -> None:
    """With it all are shown; without it each row says what to set."""
    file = tmp_path / "token"
    file.write_text(_TOKEN)
    with three("--admin-token-file", str(file), token=_TOKEN) as bridges:
        assert "aibridge  3 of 3" in once(urls(bridges), AIBRIDGE_ADMIN_TOKEN=_TOKEN).stdout
        done = once(urls(bridges))
        assert done.returncode == 1
        assert "set AIBRIDGE_ADMIN_TOKEN" in done.stderr
        assert _TOKEN not in done.stderr
