"""The script in real servers answers as the ledger does, whatever comes."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.wire import Batch, Op
from aibridge_trio.sharing.redis import script
from tests.support.random_batches import STEPS, Run, Step
from tests.support.redis_servers import RedisServer
from tests.support.resp import RespClient
from tests.support.scripted import ScriptedStore

_FOLDER = Path(script.__file__).parent
NAMES = ["__init__.py", "script.py", *(f"lua/{file.name}" for file in _FOLDER.joinpath("lua").iterdir())]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_script_and_ledger_agree(client: RespClient, steps: list[Step]) -> None:
    """Each reply is the same: status, generation, messages, results."""
    client.call("FLUSHALL")
    store, ledger, run = ScriptedStore(client), Ledger(), Run()
    for step in steps:
        batch = run.batch(step)
        expected = ledger.run(batch, run.now)
        assert store.run(batch, run.now) == expected
        run.note(batch, expected)


@pytest.mark.parametrize("running", [0, 1])
@pytest.mark.parametrize("amount", [255, 256, 257, 2_000])
def test_they_agree_on_logs_that_are_full(store: ScriptedStore, amount: int, running: int) -> None:
    """Where entries are joined, and where many turns lie ahead."""
    ledger, generation, at = Ledger(), "", 1_000.0
    for number in range(1, 1_200):
        at = round(at + (0.0007 if number % 100 else 0.13), 6)
        use = ["r", amount if number % 7 else 2_000, 1.0, 1 + number % 3, running, 0]
        ops: list[list[object]] = [["ask", [], [use], 0]]
        if running and number % 2:
            ops.append(["leave", [], [["r", 1.0, 3, number % 5]], 0, []])
        batch = Batch("a", number, generation, 3.0, -1, ops if number > 1 else [["register", {}]])
        expected = ledger.run(batch, at)
        assert store.run(batch, at) == expected
        generation = expected.generation


def test_they_agree_on_values_that_are_too_many(store: ScriptedStore) -> None:
    """Which are forgotten, and what a replica gets that comes later, or knows too little."""
    ledger, generation = Ledger(), ""
    for number in range(1, 50):
        values = [["set", "t", str((number * 30 + each) % 1_200), -1, "1", 60.0] for each in range(30)]
        since = max(0, number * 25 - 100)
        batch = Batch("a", number, generation, 3.0, since, values if number > 1 else [["register", {}]])
        expected = ledger.run(batch, 1_000.0)
        assert store.run(batch, 1_000.0) == expected
        generation = expected.generation
    for since in (0, 400, 1_300, 9_999):
        batch = Batch("a", 100 + since, generation, 3.0, since, [])
        assert store.run(batch, 1_001.0) == ledger.run(batch, 1_001.0)
    batch = Batch("b", 1, "", 3.0, -1, [["register", {}]])
    assert store.run(batch, 1_002.0) == ledger.run(batch, 1_002.0)


def test_they_agree_on_many_replicas_that_fall_silent(store: ScriptedStore) -> None:
    """A few of them are looked at with each batch."""
    ledger = Ledger()
    for number in range(40):
        held = {"slots": 2, f"caller:{number % 7}": 1, "use:60:t": number, "budget:x": 5}
        batch = Batch(f"r{number}", 7, "", 3.0, -1, [["register", held]])
        assert store.run(batch, 1_000.0 + number / 100) == ledger.run(batch, 1_000.0 + number / 100)
    batch = Batch("live", 1, "", 60.0, -1, [["register", {}], ["totals", ["slots", "caller:1"], []]])
    expected = ledger.run(batch, 1_002.0)
    assert store.run(batch, 1_002.0) == expected
    for number in range(2, 90):
        ask = [["slots", 90, 1, 0]], [["t", 5_000, 60.0, 7, 1, 0]], ["x", 5_000, "month", 1]
        at = 1_002.0 + number / 20 + (3_599.0 if number > 80 else 0.0)
        since = 0 if number < 81 else -1
        batch = Batch("live", number, expected.generation, 3_600.0, since, [["ask", *ask]])
        assert store.run(batch, at) == ledger.run(batch, at)
    assert ledger.replicas == 1


def test_they_agree_on_many_replicas_that_wait(store: ScriptedStore) -> None:
    """More than are remembered; each has its turn when it holds least, or has waited for longest."""
    ledger, random = Ledger(), Random(7)
    names = [f"r{number}" for number in range(40)]
    for name in names:
        batch = Batch(name, 1, "", 60.0, -1, [["register", {"slots": 1}]])
        expected = ledger.run(batch, 1_000.0)
        assert store.run(batch, 1_000.0) == expected
    at, granted = 1_000.0, 0
    for number in range(2, 300):
        at = round(at + random.choice([0.0, 0.001, 0.04, 0.3]), 6)
        back: list[Op] = [["leave", [["slots", 1]], [], 0, []]] * random.randrange(2)
        ask: Op = ["ask", [["slots", random.choice([40, 41, 1 << 50]), 1, 0]], [], 0]
        waits = random.sample([["totals", ["slots"], ["slots"]], ["totals", ["slots"], []], ask, ask], 2)
        batch = Batch(random.choice(names), number, expected.generation, 60.0, -1, [*back, *waits])
        reply = ledger.run(batch, at)
        assert store.run(batch, at) == reply
        granted += any(type(each) is list and len(each) > 1 and each[0] == 1 for each in reply.results)
    assert 20 < granted < 280


def test_a_prefix_is_a_store_of_its_own(client: RespClient, store: ScriptedStore) -> None:
    """All keys of it have its tag: in a cluster they lie together."""
    batch = Batch("a", 1, "", 3.0, -1, [["register", {"slots": 1}], ["totals", ["slots"], []]])
    assert store.run(batch, 1_000.0).results[1] == [1]
    assert ScriptedStore(client, "other").run(batch, 1_000.0).status == "ok"
    assert {name.partition(":")[0] for name in store.names()} == {"{test}", "{other}"}
    assert script.tag("bridge") == "{bridge}"


def test_messages_wake_up(server: RedisServer, store: ScriptedStore) -> None:
    """The number of the last message goes to the prefix's channel; a batch without messages says nothing."""
    with server.client() as listener:
        listener.call("SUBSCRIBE", script.channel(store.prefix))
        ops: list[list[object]] = [["register", {}], ["set", "t", "a", -1, "1", 0], ["set", "t", "b", -1, "1", 0]]
        for number, sent in enumerate((ops[:1], ops, ops[:1]), start=1):
            assert store.run(Batch("a", number, "", 3.0, -1, sent), 1_000.0).status == "ok"
        assert listener.receive() == ["message", "{test}:wake", "2"]
        listener.send("PING")
        assert listener.receive() == ["pong", ""]


def test_the_script_comes_with_the_package(tmp_path: Path) -> None:
    """It is read out of a zip file, too, as the binary is one; all files are in the script."""
    package = Path(script.__file__).parents[2]
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for file in ("__init__.py", "sharing/__init__.py", *(f"sharing/redis/{name}" for name in NAMES)):
            archive.write(package / file, f"{package.name}/{file}")
    code = "from aibridge_trio.sharing.redis import script; print(script.__file__); print(script.source(), end='')"
    environ = {"PYTHONPATH": str(tmp_path / "package.zip")}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, check=True
    )
    where, _, source = found.stdout.decode().partition("\n")
    assert where.startswith(str(tmp_path))
    assert source == script.source()
    assert all(f"-- {name.removeprefix('lua/')}: " in source for name in NAMES if name.startswith("lua/"))
