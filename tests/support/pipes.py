"""A network in memory that can be full, broken and half closed, as TCP can; for peers that misbehave.

`trio.testing`'s streams take whatever is sent. These buffer so many bytes, tell a reset from an
end, and lose on a reset what was on its way, as a real network may.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import trio

from aibridge_trio.upstream.transport import Transport
from tests.support.network import MemoryLink, MemoryListener, MemoryWire, Network

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read the machine's CAs takes a while

Buffer = bytes | bytearray | memoryview


class Flow:
    """One direction: bytes on their way, and how it ended."""

    def __init__(self, capacity: int) -> None:
        self.data = bytearray()
        self.capacity = capacity
        self.ended = False
        self.broken = False
        self.lot = trio.lowlevel.ParkingLot()
        self.on_data: Callable[[], object] = lambda: None
        self.on_end: Callable[[], object] = lambda: None

    def end(self) -> None:
        """Let nothing more in."""
        self.ended = True
        self.lot.unpark_all()
        self.on_end()

    def break_off(self) -> None:
        """Lose all that is on its way."""
        self.broken = True
        self.data.clear()
        self.lot.unpark_all()
        self.on_end()


class End(trio.abc.HalfCloseableStream):
    """One end of a connection. Closed with unread bytes, or written to when it is closed, it is a reset."""

    def __init__(self, incoming: Flow, outgoing: Flow) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self.closed = False

    @property
    def silent(self) -> bool:
        """Whether nothing has come that was not read: no bytes, no end."""
        return not (self._incoming.data or self.left)

    @property
    def left(self) -> bool:
        """Whether the other end is gone, though bytes may stand before that."""
        return self._incoming.ended or self._incoming.broken

    @property
    def room(self) -> int:
        """How many bytes go without waiting."""
        return max(0, self._outgoing.capacity - len(self._outgoing.data))

    def listen(self, came: Callable[[], object], ended: Callable[[], object]) -> None:
        """Call these when the other end sends, and when it is gone."""
        self._incoming.on_data, self._incoming.on_end = came, ended

    def push(self, data: Buffer) -> int:
        """Send what fits; return how much that was."""
        self._check()
        flow = self._outgoing
        if flow.ended:
            raise trio.ClosedResourceError
        if flow.broken:
            # Data for a closed socket makes the other kernel reset the connection.
            self._incoming.break_off()
            raise trio.BrokenResourceError
        size = min(len(data), self.room)
        if size:
            flow.data += data[:size]
            flow.lot.unpark_all()
            flow.on_data()
        return size

    async def send_all(self, data: Buffer) -> None:
        await trio.lowlevel.checkpoint()
        at = self.push(data)
        while at < len(data):
            await self._outgoing.lot.park()
            at += self.push(data[at:])

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        flow = self._incoming
        while True:
            self._check()
            if flow.broken:
                raise trio.BrokenResourceError
            if flow.data or flow.ended:
                break
            await flow.lot.park()
        data = bytes(flow.data[:max_bytes])
        del flow.data[: len(data)]
        flow.lot.unpark_all()
        return data

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self.finish()

    def finish(self) -> None:
        """Send nothing more, and read on."""
        self._outgoing.end()

    def close(self) -> None:
        """Close it; the other end reads what is on its way, unless bytes were left unread here."""
        if not self.closed:
            if self._incoming.data:
                self._outgoing.break_off()
            self._outgoing.end()
            self._incoming.break_off()
            self.closed = True

    def reset(self) -> None:
        """Close it so that the other end sees a break."""
        if not self.closed:
            self._outgoing.break_off()
            self.close()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError


def pair(capacity: int) -> tuple[End, End]:
    """Return two ends of a connection on which so many bytes may be on their way, in each direction."""
    one, other = Flow(capacity), Flow(capacity)
    return End(one, other), End(other, one)


class PipeWire(MemoryWire):
    """A server's end of a connection."""

    stream: End

    def _listen(self) -> None:
        self.stream.listen(self._wake, self._end)

    def push(self, data: Buffer) -> int:
        return self.stream.push(data)

    def nothing_to_read(self) -> bool:
        return self.stream.silent

    def peer_left(self) -> bool:
        return self.stream.left

    def send_eof(self) -> None:
        self.stream.finish()

    def reset(self) -> None:
        self.closed, self._on_input = True, None
        self.stream.reset()

    def close(self) -> None:
        self.closed, self._on_input = True, None
        self.stream.close()


class PipeLink(MemoryLink):
    """A bridge's link to a provider."""

    stream: End

    def nothing_to_read(self) -> bool:
        return self.stream.silent

    def close(self) -> None:
        self.stream.close()


class Pipes(Network):
    """A network of such connections; `ours` are the ends that are in the hands of who is tested."""

    def __init__(self, nursery: trio.Nursery, capacity: Callable[[], int] = lambda: 65536) -> None:
        super().__init__(nursery)
        self.ours: list[End] = []
        self.ways: list[Transport] = []
        self._capacity = capacity

    def dial(self, host: str, address: str = "10.0.0.2") -> End:
        """Open a connection as a caller: who listens is tested."""
        near, far = self._open(host, address)
        self.ours.append(far)
        return near

    def way_out(self, _proxy: str | None = None) -> Transport:
        self.ways.append(way := Transport(_NO_TLS, self._link))
        return way

    async def _link(self, host: str, port: int) -> MemoryLink:
        """Open one as a bridge does, to a provider."""
        await trio.lowlevel.checkpoint()
        if host in self.blackholes:
            await trio.sleep_forever()
        near, _ = self._open(host, "10.0.0.9")
        self.ours.append(near)
        return PipeLink(near)

    def open_ends(self) -> int:
        """Forget what was closed; return how many are open."""
        self.ours = [end for end in self.ours if not end.closed]
        return len(self.ours)

    def pools(self) -> tuple[int, int]:
        """Return how many connections to providers are busy, and how many are kept."""
        pools = [pool.statistics() for way in self.ways for pool in way._pools.values()]
        return sum(pool.busy for pool in pools), sum(pool.idle for pool in pools)

    def _open(self, host: str, address: str) -> tuple[End, End]:
        self.dialled.append(host)
        listener = self.listeners.get(host)
        if not isinstance(listener, MemoryListener) or not listener.open:
            raise ConnectionRefusedError("refused")
        near, far = pair(self._capacity())
        listener.connect(PipeWire(far, host, address))
        return near, far
