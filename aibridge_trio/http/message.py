"""A request and its reply as handlers see them, independent of the server that transports them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from email.utils import formatdate

from aibridge_trio.http.headers import LOWER, Headers
from aibridge_trio.http.request_head import Head, HeadMemo

# How long (seconds) a caller may send nothing during its upload, like nginx's client_body_timeout.
UPLOAD_SILENCE = 60.0


# The message of a request whose body stalled.
STALLED = "request body stalled: its rest did not come in time"


class BodyStalled(Exception):
    """The caller stopped sending its body for longer than UPLOAD_SILENCE."""


class Body(ABC):
    """A request's body: iterate over it at most once.

    `received` is how many bytes have arrived, `caller_left` whether the caller has left. `has_waited`: the handler
    has waited for a piece, or does.
    """

    # Defaults on the class: most bodies change none but `received`.
    received = 0
    caller_left = False
    has_waited = False
    _waited = 0.0
    _wait_began: float | None = None

    def __aiter__(self) -> Body:
        return self

    def waited(self, now: float) -> float:
        """Return how long (seconds) the handler has waited for pieces, up to `now`."""
        return self._waited + (0.0 if self._wait_began is None else now - self._wait_began)

    def _begin_wait(self, now: float) -> None:
        self.has_waited, self._wait_began = True, now

    def _end_wait(self, now: float) -> None:
        self._waited, self._wait_began = self.waited(now), None

    @abstractmethod
    async def __anext__(self) -> bytes:
        """Return the next piece. Raises BodyStalled when none arrives in time."""


class Request:
    """A caller's request. Header names are lower-case; path and query are the bytes as received.

    `client` is the peer's address, `server` the address that the caller connected to (None on a unix socket).
    `secure`: over TLS; `certificate`: the names in the caller's certificate, verified, common names first.
    `on_loopback`: received by a TCP listener on a loopback address.

    `memo` is the same object for requests of one connection whose heads are the same but for the Content-Length;
    what may be kept there, and what never, is said in `request_head`. `headers` is shared by such requests, too.
    """

    __slots__ = (
        *("_index", "body", "certificate", "client", "headers", "memo", "method", "on_loopback", "path", "query"),
        *("secure", "server"),
    )

    def __init__(  # noqa: PLR0917 - what a request consists of
        self,
        method: str,
        path: bytes,
        query: bytes,
        headers: Headers,
        client: str | None,
        server: str | None,
        body: Body,
        *,
        secure: bool = False,
        on_loopback: bool = False,
        certificate: tuple[str, ...] = (),
        head: Head | None = None,  # that all of this was read from
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.client = client
        self.server = server
        self.body = body
        self.secure = secure
        self.on_loopback = on_loopback
        self.certificate = certificate
        self.memo = head.memo if head else HeadMemo()
        self._index = head.index if head else dict(reversed(headers))

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path!r} client={self.client}>"

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, None without one."""
        return self._index.get(name)

    def header_values(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in order."""
        if name not in self._index:
            return []
        if len(self._index) == len(self.headers):  # no name is repeated
            return [self._index[name]]
        return [value for key, value in self.headers if key == name]

    def remove(self, names: Collection[bytes]) -> None:
        """Remove all headers with these names."""
        self.headers = [header for header in self.headers if header[0] not in names]
        self._index = dict(reversed(self.headers))

    def replace(self, name: bytes, value: bytes) -> None:
        """Set a header in place of all with its name."""
        self.remove((name,))
        self.headers.append((name, value))
        self._index[name] = value


class Reply(ABC):
    """The response, in the order start, send …, end. Without an end it is cut off, which the caller notices."""

    # Defaults on the class: most replies change few of them.
    status: int | None = None
    sent = 0
    ended = False
    _defaults: tuple[Headers, ...] = ()
    _overrides: tuple[tuple[bytes, bytes], ...] = ()
    _added: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def started(self) -> bool:
        """Whether the head has been sent."""
        return self.status is not None

    @property
    def longest_write(self) -> float:
        """How long (seconds) the longest write has waited for the caller; 0 where that is unknown."""
        return 0.0

    def date(self) -> bytes:
        """Return the value of `Date` for now."""
        return formatdate(usegmt=True).encode("ascii")

    def add_defaults(self, headers: Headers) -> None:
        """Add headers to the head to come: all of them, or none if it has one of their names already."""
        self._defaults += (headers,)

    def override(self, headers: Headers) -> None:
        """Set headers of the head to come, in place of those with the same names."""
        self._overrides += (*headers,)

    def add(self, header: tuple[bytes, bytes]) -> None:
        """Add a header to the head to come, beside those with the same name."""
        self._added += (header,)

    @abstractmethod
    async def start(self, status: int, headers: Headers, *, more: bool = False) -> None:
        """Send the head. With `more`, a piece of the body follows at once, and the head may wait for it."""

    def _whole_head(self, headers: Headers) -> Headers:
        """Return the headers to send: these, and what was to be added to them."""
        present = {LOWER[name] for name, _ in headers}
        for default in self._defaults:
            for name, _ in default:
                if name in present:
                    break
            else:
                headers = [*headers, *default]
        if self._overrides or self._added:
            names = {name for name, _ in self._overrides}
            kept = [header for header in headers if LOWER[header[0]] not in names]
            headers = [*kept, *self._overrides, *self._added]
        return headers

    @abstractmethod
    async def send(self, piece: bytes) -> None:
        """Send a piece of the body."""

    @abstractmethod
    async def end(self) -> None:
        """End the response cleanly."""

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response of our own."""
        await self.write(status, headers, body)
        await self.end()

    async def write(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a response of our own, with Content-Length and Date, without ending it."""
        headers = [*headers, (b"date", self.date()), (b"content-length", b"%d" % len(body))]
        await self.start(status, headers, more=True)
        await self.send(body)

    async def write_lines(self, status: int, lines: bytes, body: bytes) -> None:
        """Do what `write` does, with headers that are the lines of a head already, their names in lower case."""
        await self.write(status, from_lines(lines), body)


class TransportedReply(Reply):
    """A reply that is transported by other means than a connection of our own server: see its abstract methods."""

    async def start(self, status: int, headers: Headers, *, more: bool = False) -> None:
        """See Reply."""
        self.status = status
        await self._start(status, self._whole_head(headers), more=more)

    async def send(self, piece: bytes) -> None:
        """See Reply."""
        self.sent += len(piece)
        await self._send(piece)

    async def end(self) -> None:
        """See Reply."""
        await self._end()

    @abstractmethod
    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:
        """Transport the head."""

    @abstractmethod
    async def _send(self, piece: bytes) -> None:
        """Transport a piece of the body."""

    @abstractmethod
    async def _end(self) -> None:
        """Set `ended`, and transport the end."""


def from_lines(lines: bytes) -> Headers:
    """Return the headers in the lines of a head."""
    pairs = (line.partition(b": ") for line in lines.splitlines())
    return [(name, value) for name, _, value in pairs]


Handler = Callable[[Request, Reply], Awaitable[None]]
