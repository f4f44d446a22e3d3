"""Three bridges, one operator: orders to all of them, and what is said when one does not do it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import redis_servers
from tests.support.dashboard import free_port
from tests.support.processes import Bridge, a_bridge, run, until

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
