"""A provider whose stream never ends: it writes for as long as the gateway reads."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

from bench.scorecard.caller import MODEL

_READ = 64 * 1024
_EVENT = (
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"' + MODEL + '","choices":'
    '[{"index":0,"delta":{"content":"%d %s"},"finish_reason":null}]}\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
# More than the sockets on both sides of a gateway buffer. A gateway that took so many bytes keeps them in memory,
# and gets no more than a little a second.
_MUCH = 24 << 20
_WORDS = "x" * 900
_TOGETHER = 32


class Endless:
    """The state of its stream: `begun`, and `gone` once the gateway has closed it."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.gone = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer one request: a POST endlessly, another with the list of models."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                if not await _posted(stream):
                    await stream.send_all(_models())
                    return
                self.begun.set()
                try:
                    await _say(stream)
                finally:
                    self.gone.set()


@asynccontextmanager
async def endless(port: int) -> AsyncIterator[Endless]:
    """Run the provider on a free port."""
    provider = Endless()
    [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, provider.serve, [listener]))
        yield provider
        nursery.cancel_scope.cancel()


async def _posted(stream: trio.SocketStream) -> bool:
    """Read a request; tell whether it is a POST."""
    heard = bytearray()
    while b"\r\n\r\n" not in heard or len(heard) < _size(heard):
        data = await stream.receive_some(_READ)
        if not data:
            break
        heard += data
    return heard.startswith(b"POST")


def _size(heard: bytes | bytearray) -> int:
    head, _, _ = heard.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return len(head) + 4 + (int(length[1]) if length else 0)


async def _say(stream: trio.SocketStream) -> None:
    await stream.send_all(_HEAD)
    said = number = 0
    while True:
        # Each event says something else: some gateways take a model that repeats itself for a broken one.
        events = "".join(_EVENT % (number + each, _WORDS) for each in range(_TOGETHER)).encode()
        await stream.send_all(b"%x\r\n%b\r\n" % (len(events), events))
        number += _TOGETHER
        said += len(events)
        await trio.sleep(1.0 if said > _MUCH else 0.0)


def _models() -> bytes:
    listed = {"id": MODEL, "object": "model", "created": 1, "owned_by": "endless"}
    content = json.dumps({"object": "list", "data": [listed]}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + content
