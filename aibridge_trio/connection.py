"""hypercorn's connection, kept to HTTP/1.1 and to its word about callers that leave."""

from __future__ import annotations

from contextlib import suppress

import h11
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.tcp_server import TCPServer

# What one read of a socket takes, in bytes, as hypercorn has it.
_READ_SIZE = 65536


class Connection(TCPServer):
    """One connection, which speaks HTTP/1.1 and nothing else.

    hypercorn would switch to HTTP/2 or to a WebSocket by itself, before the application has a say, and no
    switch turns that off. Such connections have no idle timeout and can outlive their peers.
    """

    _over = False

    @property
    def protocol(self) -> ProtocolWrapper:
        """What reads the bytes."""
        return self._protocol

    @protocol.setter
    def protocol(self, made: ProtocolWrapper) -> None:
        made.protocol = _HTTP1(
            made.app,
            made.config,
            made.context,
            made.task_group,
            made.state,
            made.ssl,
            made.client,
            made.server,
            made.send,
        )
        self._protocol = made

    async def _read_data(self) -> None:
        """Read two pieces ahead: hypercorn stops at pipelined bytes, and behind them the caller may leave."""
        ahead, pieces = trio.open_memory_channel[bytes](1)

        async def feed() -> None:
            async for piece in pieces:
                await self.protocol.handle(RawData(piece))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while piece := await self.stream.receive_some(_READ_SIZE):
                    await ahead.send(bytes(piece))
            nursery.cancel_scope.cancel()  # whatever is still unread, nobody waits for its answer
        self._over = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        """Send, but start no idle timer on a connection that is over: it would stay open as long."""
        if not (self._over and isinstance(event, Updated)):
            await super().protocol_send(event)


class _HTTP1(H11Protocol):
    """Every request is the application's, those that ask for another protocol too."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Stay with HTTP/1.1, where hypercorn would turn to HTTP/2."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Hand over the request as what it is, where hypercorn would make a WebSocket of it."""
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
