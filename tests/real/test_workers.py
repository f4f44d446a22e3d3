"""`aibridge serve --workers`: several processes that are one bridge."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ASK, CHAT, PATIENCE, START, Bridge, a_bridge, a_provider, run, until

pytestmark = pytest.mark.real

UNARY: Any = {"model": "m", "messages": ASK}


def rows(bridge: Bridge) -> list[dict[str, Any]]:
    """The status document's rows of workers."""
    found: list[dict[str, Any]] = bridge.admin.get("/status").json()["workers"]
    return found


def all_serve(bridge: Bridge, pids: set[int] = frozenset()) -> list[dict[str, Any]]:  # type: ignore[assignment]
    """Wait until all workers serve, with none of these processes."""

    def found() -> list[dict[str, Any]] | None:
        now = rows(bridge)
        return now if all(row["state"] == "serving" and row["pid"] not in pids for row in now) else None

    workers: list[dict[str, Any]] = until(found, "all workers serve", START)
    return workers


def requests(bridge: Bridge) -> float:
    """The counter of all requests."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in bridge.admin.get("/metrics").text.splitlines()
        if line.startswith("aibridge_requests_total{")
    )


class Load:
    """Callers that ask again and again, each over connections of its own, until the end."""

    def __init__(self, url: str, callers: int = 6) -> None:
        self.statuses: list[int] = []
        self.errors: list[str] = []
        self._url = url
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(callers)]

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Ask while this context is open."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.end()

    def end(self) -> None:
        """Wait for the last answers."""
        self._ends.set()
        for thread in self._threads:
            thread.join(3 * PATIENCE)

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        before = len(self.statuses)
        until(lambda: len(self.statuses) >= before + count, f"{count} more answers", START)

    def _ask(self, number: int) -> None:
        headers = {"authorization": f"Bearer sk-caller-{number:04}"}
        while not self._ends.is_set():
            try:
                with httpx.Client(verify=False, timeout=3 * PATIENCE) as client:
                    for _ in range(5):
                        self.statuses.append(
                            client.post(self._url + CHAT, json=UNARY, headers=headers).status_code
                        )
            except httpx.HTTPError as error:
                self.errors.append(repr(error))


def test_workers_are_one_bridge() -> None:
    """One start line, and rows, counts and overrides of all of them."""
    with a_bridge("--workers", "3", "--circuit-breaker") as bridge:
        assert "3 workers" in bridge.process.says('"event": "start"').string
        assert len({row["pid"] for row in all_serve(bridge)}) == 3
        for _ in range(12):
            with httpx.Client(verify=False) as client:
                assert client.get(bridge.url + "/").status_code == 200
        # A report of the workers may be a moment old.
        until(lambda: bridge.admin.get("/status").json()["requests"]["total"] == 12, "all requests in the status")
        until(lambda: requests(bridge) == 12, "all requests in the metrics")
        done = bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert done.json()["mode"] == "open"
        for _ in range(9):
            with httpx.Client(verify=False) as client:
                assert client.post(bridge.url + CHAT, json=UNARY).status_code in {401, 503}
        assert sum("listens on" in line for line in bridge.process.lines) == 1


def test_a_killed_worker_disturbs_no_other() -> None:
    """Under load one worker is killed: it starts again, others answer on, and no counter goes back."""
    with a_provider() as provider, a_bridge("--workers", "3", provider=provider) as bridge:
        before = all_serve(bridge)
        with Load(bridge.url).running() as load:
            load.more(30)
            counted = requests(bridge)
            os.kill(before[0]["pid"], signal.SIGKILL)
            bridge.process.says("worker 1 was ended by SIGKILL")
            assert requests(bridge) >= counted
            load.more(30)
            now = all_serve(bridge, {before[0]["pid"]})
            load.more(10)
        assert [row["pid"] for row in now[1:]] == [row["pid"] for row in before[1:]]
        assert [row["restarts"] for row in now] == [1, 0, 0]
        assert set(load.statuses) == {200}
        # Each caller has one request under way at most.
        assert len(load.errors) <= 6
        assert requests(bridge) >= counted


@pytest.mark.parametrize("workers", ["2", "4"])
def test_slots_are_exact_over_workers(workers: str) -> None:
    """However many workers there are, the provider never has more requests at once than --max-concurrency."""
    flags = ("--workers", workers, "--max-concurrency", "3")
    with a_provider() as provider, a_bridge(*flags, provider=provider) as bridge:
        provider.change(latency=0.05, slots=3, when_full="429")
        all_serve(bridge)
        with Load(bridge.url, callers=10).running() as load:
            load.more(200)
        stats = provider.stats()
        assert set(load.statuses) == {200, 503}
        assert not load.errors
        assert stats["requests"] == load.statuses.count(200)
        until(lambda: bridge.in_flight() == 0, "all slots are free")


def test_a_rate_is_exact_over_workers() -> None:
    """A caller gets its rate, once, whichever workers its connections lead to."""
    flags = ("--workers", "3", "--rate-limit", "20")
    with a_provider() as provider, a_bridge(*flags, provider=provider) as bridge:
        all_serve(bridge)
        statuses = []
        for _ in range(60):
            with httpx.Client(verify=False) as client:
                answer = client.post(
                    bridge.url + CHAT, json=UNARY, headers={"authorization": "Bearer sk-caller-0001"}
                )
                statuses.append((time.perf_counter(), answer.status_code))
        admitted = [at for at, status in statuses if status == 200]
        assert {status for _, status in statuses} <= {200, 429}
        assert len(admitted) >= 20
        # No second, wherever it begins, has more than 20 of them; times are of the answers' ends.
        for first, later in zip(admitted, admitted[20:], strict=False):
            assert later - first > 0.8


def test_the_slots_of_a_killed_worker_are_free_at_once() -> None:
    """Its requests are lost; the next ones do not wait for what it held."""
    flags = ("--workers", "2", "--max-concurrency", "2")
    with a_provider() as provider, a_bridge(*flags, provider=provider) as bridge:
        all_serve(bridge)
        provider.script(*[{"fault": "stall", "after": 3}] * 2)
        with suppress(httpx.HTTPError), bridge.holding("sk-caller"), bridge.holding("sk-caller"):
            headers = {"authorization": "Bearer sk-other"}
            with httpx.Client(verify=False) as client:
                assert client.post(bridge.url + CHAT, json=UNARY, headers=headers).status_code == 503

            def held() -> list[int]:
                found = [row for row in rows(bridge) if row["in_flight"]]
                return [row["pid"] for row in found] if sum(row["in_flight"] for row in found) == 2 else []

            busy = until(held, "the rows of workers with both requests")
            for pid in busy:
                os.kill(pid, signal.SIGKILL)
            began = time.perf_counter()
            all_serve(bridge, set(busy))

            def served() -> bool:
                with httpx.Client(verify=False) as client:
                    return client.post(bridge.url + CHAT, json=UNARY, headers=headers).status_code == 200

            until(served, "a free slot")
            assert time.perf_counter() - began < PATIENCE


def test_a_drain_under_load_loses_nothing() -> None:
    """Requests that were accepted are answered; connections that come too late are refused, not cut."""
    flags = ("--workers", "2", "--drain-delay", "500ms")
    with a_provider() as provider, a_bridge(*flags, provider=provider) as bridge:
        provider.change(latency=0.05)
        all_serve(bridge)
        load = Load(bridge.url)
        with load.running():
            load.more(30)
            bridge.process.signal()
            assert bridge.process.wait(START) == 0
        # What went up came back; only what was never begun is refused, in words or by the kernel.
        assert set(load.statuses) <= {200, 503}
        assert provider.stats()["requests"] == load.statuses.count(200)
        assert bridge.process.lines[-1].endswith('"detail": "drained"}')


def test_a_reload_under_load_changes_all_or_nothing(tmp_path: Path) -> None:
    """All workers take a new configuration, and none a mistake; no request is lost."""
    config = tmp_path / "aibridge.toml"
    with a_provider() as provider:
        base = f'openai_base_url = "{provider.url}/v1"\n'
        config.write_text(base)
        with a_bridge("--workers", "3", "--config", str(config)) as bridge:
            before = all_serve(bridge)
            with Load(bridge.url).running() as load:
                load.more(20)
                config.write_text(base + 'max_body = "5B"\n')
                done = bridge.admin.post("/reload", timeout=START)
                assert done.status_code == 200
                assert "--max-body: 32MiB" in done.text
                answers = until(lambda: load.statuses[-20:] if set(load.statuses[-20:]) == {413} else None, "413")
                assert len(answers) == 20
                config.write_text(base + "max_body = none\n")
                assert bridge.admin.post("/reload", timeout=START).status_code == 422
                config.write_text(base)
                bridge.process.signal(signal.SIGHUP)
                until(lambda: set(load.statuses[-20:]) == {200}, "200 again")
            assert not load.errors
            assert set(load.statuses) == {200, 413}
            assert [row["pid"] for row in rows(bridge)] == [row["pid"] for row in before]


def test_a_second_signal_cuts() -> None:
    """What is in flight does not hold up the second signal; the status says so."""
    with a_provider() as provider, a_bridge("--workers", "2", provider=provider) as bridge:
        pids = {row["pid"] for row in all_serve(bridge)}
        provider.script({"fault": "stall", "after": 3})
        with suppress(httpx.HTTPError), bridge.holding("sk-caller"):
            bridge.process.signal()
            bridge.process.says('"event": "drain"')
            bridge.process.signal()
            assert bridge.process.wait(START) == 1
        assert not any(map(_runs, pids))


def test_nothing_is_left_of_a_killed_supervisor() -> None:
    """Its workers end at once, and the port is free."""
    with a_bridge("--workers", "3") as bridge:
        pids = {row["pid"] for row in all_serve(bridge)}
        bridge.process.signal(signal.SIGKILL)
        bridge.process.wait()
        until(lambda: not any(map(_runs, pids)), "no worker is left")
        port = httpx.URL(bridge.url).port
        assert port
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_no_file_is_made_for_workers(tmp_path: Path) -> None:
    """They need no directory that is writable, or there at all; so a supervisor that is killed leaves nothing."""
    with a_bridge("--workers", "2", "--max-concurrency", "2", TMPDIR=str(tmp_path)) as bridge:
        all_serve(bridge)
        assert not list(tmp_path.iterdir())
        bridge.process.signal(signal.SIGKILL)
        bridge.process.wait()
    # Python looks for a directory with tempfile: /tmp and the present one are the last it tries.
    with a_bridge("--workers", "2", "--max-concurrency", "2", TMPDIR=str(tmp_path / "none")) as bridge:
        all_serve(bridge)
        assert bridge.status()["store"]["condition"] == "shared"


def test_signals_to_workers_do_nothing() -> None:
    """A service manager sends its signal to all processes; workers wait for their supervisor."""
    with a_bridge("--workers", "2") as bridge:
        before = all_serve(bridge)
        for row in before:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(row["pid"], number)
        assert bridge.caller.get("/").status_code == 200
        assert [row["pid"] for row in rows(bridge)] == [row["pid"] for row in before]


def test_a_port_in_use_ends_it() -> None:
    """Exit status 2 and one line, and no worker is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = run("serve", "--workers", "2", "--bind", address, "--admin-bind", "127.0.0.1:0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the port is in use" in done.stderr


def test_a_worker_that_ends_at_once_is_started_later_and_later() -> None:
    """The others serve on; the log tells of each end, and when it is started again."""
    with a_provider() as provider, a_bridge("--workers", "2", provider=provider) as bridge:
        first, second = all_serve(bridge)
        for pause in ("again$", "again in 0.5 s", "again in 1 s"):
            before = rows(bridge)[0]
            # One that has served for ten seconds starts again at once, so it is ended before.
            os.kill(before["pid"], signal.SIGKILL)
            ended = "worker 1 was ended by SIGKILL; it starts "
            until(lambda: rows(bridge)[0]["pid"] != before["pid"], "the end is known")  # noqa: B023 - called here
            with httpx.Client(verify=False) as client:
                assert client.post(bridge.url + CHAT, json=UNARY).status_code == 200
            if pause != "again$":
                bridge.process.says(ended + pause)
            until(lambda: rows(bridge)[0]["pid"], "the next process", START)
            all_serve(bridge)
        assert rows(bridge)[0]["restarts"] == 3
        assert rows(bridge)[1]["pid"] == second["pid"] != first["pid"]


@pytest.mark.parametrize("count", ["0", "-1", "65", "auto", "2.5"])
def test_a_number_of_workers_that_cannot_be_is_a_mistake(count: str) -> None:
    """Exit status 2 and one line that names the option."""
    done = run("serve", "--workers", count)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--workers" in done.stderr


def test_one_worker_is_one_process() -> None:
    """No supervisor, and no child."""
    with a_bridge("--workers", "1", "--max-concurrency", "2") as bridge:
        document = bridge.status()
        assert document["workers"] == []
        assert document["store"]["condition"] == "own"
        children = Path(f"/proc/{bridge.process.pid}/task/{bridge.process.pid}/children").read_text()
        assert not children.strip()


def test_secrets_stand_in_no_command_line(tmp_path: Path) -> None:
    """Neither in the command line of a worker, nor in files."""
    with a_bridge("--workers", "2", OPENAI_API_KEY="sk-secret-of-the-bridge") as bridge:
        for row in all_serve(bridge):
            line = Path(f"/proc/{row['pid']}/cmdline").read_bytes()
            assert b"worker" in line
            assert b"sk-secret" not in line


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
