"""The bridge's admin listener: what it says of itself, and an operator who interferes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import trio

from bench.compare.process import Failed
from bench.soak.asks import PROVIDERS
from bench.soak.ends import BROKEN, End, connect
from bench.soak.reader import Ended, Reader

# Seconds for one answer; it shares nothing with the proxy but the process.
_PATIENCE = 20.0
# Seconds between two interferences, at most, and those for which a status stream is watched, at most.
_PAUSE = 0.5
_WATCH = 0.3
# Counters of what requests hold, 0 at rest: slots, permits, places in a queue, and callers within their last
# second, which are remembered for the rate limit.
_HELD = frozenset({"in_flight", "probes", "queued", "waiting", "queue", "pending"})


class Operator:
    """Asks on a new connection each time. Raises Failed without an answer."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def status(self) -> dict[str, Any]:
        """Return `/status`."""
        document: dict[str, Any] = json.loads(await self._ask(b"GET /status"))
        return document

    async def scrape(self) -> None:
        """Read `/metrics`."""
        await self._ask(b"GET /metrics")

    async def override(self, provider: str, mode: str) -> None:
        """Open or close a breaker, or leave it to itself."""
        body = json.dumps({"mode": mode}).encode()
        fields = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        await self._ask(b"POST /breakers/" + provider.encode(), fields, body)

    async def interfere(self, draw: Random) -> None:
        """Look at this and that, and overrule breakers, until cancelled."""
        while True:
            await trio.sleep(_PAUSE * draw.random())
            match draw.randrange(4):
                case 0:
                    await self.scrape()
                case 1:
                    await self.status()
                case 2:
                    await self._watch(_WATCH * draw.random())
                case _:
                    provider = draw.choice(PROVIDERS)
                    await self.override(provider, draw.choice(("open", "close")))
                    await trio.sleep(_PAUSE * draw.random() / 5)
                    await self.override(provider, "auto")

    async def _watch(self, seconds: float) -> None:
        end = await self._connected()
        try:
            await end.send(b"GET /status/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
            with trio.move_on_after(seconds):
                while await end.hear():
                    pass
        finally:
            end.close()

    async def _ask(self, line: bytes, fields: bytes = b"", body: bytes = b"") -> bytes:
        try:
            with trio.fail_after(_PATIENCE):
                end = await self._connected()
                try:
                    await end.send(
                        line + b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" + fields + b"\r\n" + body
                    )
                    reader = Reader(end.hear)
                    head = await reader.head()
                    content = await reader.body(head)
                finally:
                    end.close()
        except (trio.TooSlowError, Ended, *BROKEN) as error:
            raise Failed(f"the admin listener does not answer {line.decode()}: {error!r}") from error
        if b" 200 " not in head.line:
            raise Failed(f"{line.decode()} got {head.line.decode('latin-1')}: {content.decode()}")
        return content

    async def _connected(self) -> End:
        return await connect(self._port)


def held(document: Mapping[str, Any]) -> dict[str, int]:
    """Return what requests hold according to a status document, by place."""
    return dict(_held(document, ""))


def _held(value: Any, place: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, int) and each and (key in _HELD or (place, key) == (".rate_limit", "callers")):
                yield f"{place}.{key}"[1:], each
            else:
                yield from _held(each, f"{place}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            name = each.get("name", number) if isinstance(each, Mapping) else number
            yield from _held(each, f"{place}.{name}")
