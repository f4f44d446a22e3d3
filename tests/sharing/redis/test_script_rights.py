"""The user that docs/operate/store.md describes can do all that the bridge does; no right is there in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.sharing import redis
from aibridge_trio.sharing.redis import script
from tests.sharing.redis.test_script_faults import HOWS, Peer, filled, spoil
from tests.support.random_batches import STEPS, Run, Step
from tests.support.redis_servers import RedisServer
from tests.support.resp import RespClient, RespError
from tests.support.scripted import ScriptedStore

pytestmark = pytest.mark.real

_ROOT = Path(__file__).parents[3]
# Its rights, as the page gives them.
[RIGHTS] = re.findall(
    r"^user aibridge on >PASSWORD (.*)$", (_ROOT / "docs/operate/store.md").read_text(), re.MULTILINE
)
# What a connection, its pings and its look at the server send; coredis says hello or logs in, and selects.
OF_CONNECTIONS = {"hello", "auth", "select", "ping", "info", "role", "exists", "subscribe", "unsubscribe"}


@pytest.fixture
def user(server: RedisServer, client: RespClient) -> Iterator[ScriptedStore]:
    """A store whose connection is that user's."""
    client.call("FLUSHALL")
    client.call(
        "ACL", "SETUSER", "aibridge", "reset", "on", ">PASSWORD", *RIGHTS.replace("{aibridge}", "{test}").split()
    )
    with server.client() as found:
        assert found.call("AUTH", "aibridge", "PASSWORD") == "OK"
        yield ScriptedStore(found)
    client.call("ACL", "DELUSER", "aibridge")


def test_the_rights_are_those_that_are_used() -> None:
    """By the script, and by connections."""
    allowed = set(re.findall(r"\+(\S+)", RIGHTS))
    source = script.source()
    used = set(re.findall(r"\b(?:redis\.p?call|read|write|write_many)\('([A-Z]+)'", source))
    loading = {"evalsha", "script|load"}
    assert allowed == {each.lower() for each in used} | loading | OF_CONNECTIONS
    files = [*Path(redis.__file__).parent.glob("*.py")]
    sent = {
        word.lower()
        for file in files
        for word in re.findall(
            r"(?:\.call|\.send|_first_call)\((?:connection, |sentinel, )?\"([A-Z]+)\"", file.read_text()
        )
    }
    assert sent - OF_CONNECTIONS <= {"sentinel", "script"}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_user_may_do_all_that_the_script_does(
    client: RespClient, user: ScriptedStore, steps: list[Step]
) -> None:
    """Whatever batches come: the replies are the ledger's."""
    client.call("FLUSHALL")
    ledger, run = Ledger(), Run()
    for step in steps:
        batch = run.batch(step)
        expected = ledger.run(batch, run.now)
        assert user.run(batch, run.now) == expected
        run.note(batch, expected)


@pytest.mark.parametrize("seed", range(8))
def test_the_user_may_mend_what_is_wrong(client: RespClient, user: ScriptedStore, seed: int) -> None:
    """Keys that are lost, or of a wrong type."""
    random, at = Random(seed), 1_000.0
    admin, peer = ScriptedStore(client), filled(user)
    other = Peer(user, "b")
    for number in range(60):
        at = round(at + random.choice([0.0, 0.1, 1.1]), 6)
        if number % 3 == 0:
            spoil(admin, random, random.choice(HOWS))
        each = random.choice([peer, other])
        if number % 2:
            each.ask(at, "slots")
        else:
            each.leave(at)


def test_the_user_may_do_nothing_else(user: ScriptedStore) -> None:
    """Neither with other keys and channels, nor with the server."""
    for words in (
        ("GET", "other"),
        ("SET", "{other}:state", "1"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("EVAL", "return 1", "0"),
        ("PUBLISH", "other", "x"),
        ("ACL", "WHOAMI"),
    ):
        with pytest.raises(RespError, match="NOPERM"):
            user.client.call(*words)
