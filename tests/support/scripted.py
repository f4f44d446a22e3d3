"""The real script with a clock that tests set: the call for the time is replaced, and nothing else."""

from __future__ import annotations

import json

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.wire import Batch, Reply
from aibridge_trio.sharing.redis import script
from tests.support.resp import RespClient

_TIME = "redis.call('TIME')"


class ScriptedStore:
    """A store in a real server."""

    def __init__(self, client: RespClient, prefix: str = "test") -> None:
        source = script.source()
        assert source.count(_TIME) == 1
        self.client, self.prefix = client, prefix
        self._sha = str(client.call("SCRIPT", "LOAD", source.replace(_TIME, "cjson.decode(ARGV[2])")))

    def run(self, batch: Batch, wall: float) -> Reply:
        """Execute a batch; raises RespError if it is none."""
        return wire.reply(self.execute(batch.encoded(), wall))

    def execute(self, batch: bytes, wall: float) -> bytes:
        """Execute an encoded batch."""
        clock = json.dumps([str(int(wall)), str(round(wall % 1 * 1e6))])
        found = self.client.call("EVALSHA", self._sha, "1", script.tag(self.prefix), batch, clock)
        return found if isinstance(found, bytes) else str(found).encode()

    def key(self, name: str) -> str:
        """Return the name of one of its keys."""
        return f"{script.tag(self.prefix)}:{name}"

    def names(self) -> list[str]:
        """Return the names of all its keys."""
        found = self.client.call("KEYS", "*")
        assert isinstance(found, list)
        return sorted(map(str, found))
