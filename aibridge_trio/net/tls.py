"""TLS over any link. The ssl module does the work on bytes in memory; what it makes of them is carried here."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import NoReturn

import trio

from aibridge_trio.net.stream import READ_SIZE, Address, Buffer, ByteStream, ServerStream, let_others_run

# What a caller has for its handshake (seconds).
_HANDSHAKE = 10.0


class TLSStream:
    """An encrypted link over `link`; with a `server_name` it is the client's end, and that name is verified."""

    def __init__(self, link: ByteStream, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self._link = link
        self._coming, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._coming, self._going, server_side=server_name is None, server_hostname=server_name
        )
        self._sending = trio.Lock()
        self._reads = 0
        self._ended = False
        self._goodbye = server_name is not None  # whether an end without one is a break

    async def shake_hands(self) -> None:
        """Come before the first byte. Raises one of BROKEN, a certificate that does not hold included."""
        while True:
            try:
                self._object.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._carry()
                if not await self._hear():
                    raise trio.BrokenResourceError from None
            except ssl.SSLError as error:
                await self._carry()  # the alert
                _broken(error)
        await self._carry()

    async def quiet(self) -> bool:
        """Read what has come by now, without waiting; tell whether it is nothing but TLS's own messages.

        Servers of TLS 1.3 send tickets behind the handshake.
        """
        while not self._ended:
            if self._decrypted():
                return False
            if self._link.silent():
                break
            if not await self._hear():
                self._ended = True
        return not self._ended

    async def receive(self) -> bytes:
        """Wait for bytes.

        A provider says goodbye (close_notify) before it ends the connection: without, an answer that ends with its
        connection may have been cut by anybody on the way (RFC 8446, 6.1; RFC 9112, 9.8), and this raises. Callers
        often leave without, which is an end: requests tell by themselves if something is missing.
        """
        await let_others_run(self._reads)
        self._reads += 1
        while not (data := self._decrypted()):
            if self._ended:
                return b""
            if self._going.pending:  # the provider asks for another handshake (TLS 1.2), or for a new key
                async with self._sending:
                    await self._carry()
            if not await self._hear():
                if self._goodbye:
                    raise trio.BrokenResourceError("it ended without a close_notify")
                self._ended = True
        return data

    def _decrypted(self) -> bytes:
        """Return what can be read without waiting: all of it, because a record holds little."""
        pieces: list[bytes] = []
        size = 0
        while size < READ_SIZE:
            try:
                piece = self._object.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError as error:
                if not pieces:
                    _broken(error)
                break  # it says so again
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def push(self, data: Buffer) -> int:  # noqa: ARG002
        """Nothing: what is encrypted must go out to its last byte, and that may wait."""
        return 0

    async def send(self, data: bytes) -> None:
        """Send all of it; one after the other, because the order is part of the encryption."""
        async with self._sending:
            try:
                self._object.write(data)
            except ssl.SSLError as error:
                _broken(error)
            await self._carry()

    def silent(self) -> bool:
        """Whether neither the link nor what was read of it holds anything."""
        return not (self._coming.pending or self._object.pending()) and self._link.silent()

    def close(self) -> None:
        """Close the link, without a goodbye: few wait for one."""
        self._link.close()

    async def _hear(self) -> bool:
        data = await self._link.receive()
        self._coming.write(data)
        return bool(data)

    async def _carry(self) -> None:
        data = self._going.read()
        if data and (sent := self._link.push(data)) < len(data):
            await self._link.send(data[sent:])


class TLSServerStream(TLSStream):
    """A caller's wire, encrypted."""

    secure = True

    def __init__(self, wire: ServerStream, context: ssl.SSLContext) -> None:
        super().__init__(wire, context)
        self._wire = wire
        self.peer: Address | None = wire.peer
        self.own: Address | None = wire.own
        self.on_loopback = wire.on_loopback

    async def open(self) -> None:
        """Shake hands."""
        with trio.move_on_after(_HANDSHAKE) as scope:
            await self.shake_hands()
        if scope.cancelled_caught:
            raise trio.BrokenResourceError

    @property
    def on_end(self) -> Callable[[], None] | None:
        """What is called when the caller has left."""
        return self._wire.on_end

    @on_end.setter
    def on_end(self, call: Callable[[], None] | None) -> None:
        self._wire.on_end = call

    def left(self) -> bool:
        """Ask the wire."""
        return self._wire.left()

    def finish(self) -> None:
        """Say nothing: TLS cannot be closed one way, and the caller knows by the framing."""

    def reset(self) -> None:
        """Reset the wire."""
        self._wire.reset()


def _broken(error: ssl.SSLError) -> NoReturn:
    raise trio.BrokenResourceError from error
