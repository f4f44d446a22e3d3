"""TLS over any byte stream: moves bytes between the ssl module's memory buffers and the stream."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import NoReturn

import trio

from aibridge_trio.net.peer_names import peer_names
from aibridge_trio.net.stream import READ_SIZE, Address, Buffer, ByteStream, ServerStream, occasional_checkpoint

# How long (seconds) a caller's handshake may take.
_HANDSHAKE_TIMEOUT = 10.0


class TLSStream:
    """TLS over `stream`. With a `server_name` this is the client's side, and that name is verified."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self._send_lock = trio.Lock()
        self._reads = 0
        self._ended = False
        self._needs_close_notify = server_name is not None  # an end without close_notify is an error

    async def do_handshake(self) -> None:
        """Do the TLS handshake. Raises one of CONNECTION_ERRORS, for a certificate that does not verify too."""
        while True:
            try:
                self._ssl.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise trio.BrokenResourceError from None
            except ssl.SSLError as error:
                await self._flush()  # the alert
                _broken(error)
        await self._flush()

    async def consume_tls_messages(self) -> bool:
        """Read what has arrived, without waiting; return whether it was only TLS's own messages.

        TLS 1.3 servers send session tickets after the handshake.
        """
        while not self._ended:
            if self._decrypted():
                return False
            if self._stream.nothing_to_read():
                break
            if not await self._fill():
                self._ended = True
        return not self._ended

    async def receive(self) -> bytes:
        """Wait for bytes and return them; b"" is the end of the stream.

        On the client's side an end without close_notify raises: a response that ends with its connection may have
        been cut off by an attacker (RFC 8446, 6.1; RFC 9112, 9.8). On the server's side it is a normal end: many
        callers send none, and the framing of requests shows whether one is complete.
        """
        await occasional_checkpoint(self._reads)
        self._reads += 1
        while not (data := self._decrypted()):
            if self._ended:
                return b""
            if self._outgoing.pending:  # the peer asks for a renegotiation (TLS 1.2) or a key update
                async with self._send_lock:
                    await self._flush()
            if not await self._fill():
                if self._needs_close_notify:
                    raise trio.BrokenResourceError("it ended without a close_notify")
                self._ended = True
        return data

    def _decrypted(self) -> bytes:
        """Return all that can be read without waiting: a single record holds little."""
        pieces: list[bytes] = []
        size = 0
        while size < READ_SIZE:
            try:
                piece = self._ssl.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError as error:
                if not pieces:
                    _broken(error)
                break  # the next read raises it again
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def push(self, data: Buffer) -> int:  # noqa: ARG002
        """Send nothing: encrypted bytes must be sent completely, which may need a wait."""
        return 0

    async def send(self, data: bytes) -> None:
        """Send all of it; under a lock, because TLS records must be sent in the order of encryption."""
        async with self._send_lock:
            try:
                self._ssl.write(data)
            except ssl.SSLError as error:
                _broken(error)
            await self._flush()

    def nothing_to_read(self) -> bool:
        """See ByteStream: neither the underlying stream nor the buffers hold anything."""
        return not (self._incoming.pending or self._ssl.pending()) and self._stream.nothing_to_read()

    def silent(self) -> bool:
        """See ByteStream."""
        return not (self._incoming.pending or self._ssl.pending()) and self._stream.silent()

    def close(self) -> None:
        """Close the underlying stream without a close_notify: few peers wait for one."""
        self._stream.close()

    async def _fill(self) -> bool:
        data = await self._stream.receive()
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data and (sent := self._stream.push(data)) < len(data):
            await self._stream.send(data[sent:])


class TLSServerStream(TLSStream):
    """TLS on a caller's connection."""

    secure = True

    def __init__(self, stream: ServerStream, context: ssl.SSLContext) -> None:
        super().__init__(stream, context)
        self._server_stream = stream
        self.peer: Address | None = stream.peer
        self.local: Address | None = stream.local
        self.on_loopback = stream.on_loopback
        self.certificate: tuple[str, ...] = ()

    async def handshake(self) -> None:
        """Do the TLS handshake, within _HANDSHAKE_TIMEOUT. Raises one of CONNECTION_ERRORS."""
        with trio.move_on_after(_HANDSHAKE_TIMEOUT) as scope:
            await self.do_handshake()
        if scope.cancelled_caught:
            raise trio.BrokenResourceError
        self.certificate = peer_names(self._ssl)

    @property
    def on_peer_left(self) -> Callable[[], None] | None:
        """See ServerStream."""
        return self._server_stream.on_peer_left

    @on_peer_left.setter
    def on_peer_left(self, call: Callable[[], None] | None) -> None:
        self._server_stream.on_peer_left = call

    def interrupt(self) -> None:
        """See ServerStream: the underlying stream waits for bytes only while there is nothing to decrypt."""
        self._server_stream.interrupt()

    def call_when_readable(self, call: Callable[[], None]) -> None:
        """See ServerStream."""
        self._server_stream.call_when_readable(call)

    def peer_left(self) -> bool:
        """See ServerStream: asks the underlying stream."""
        return self._server_stream.peer_left()

    def send_eof(self) -> None:
        """Do nothing: TLS has no half-close, and the framing shows the caller that nothing follows."""

    def reset(self) -> None:
        """Reset the underlying stream."""
        self._server_stream.reset()


def _broken(error: ssl.SSLError) -> NoReturn:
    raise trio.BrokenResourceError from error
