"""A request and its reply as handlers see them, independent of the server that transports them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from email.utils import formatdate

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.request_head import HeadMemo

# How long (seconds) a caller may send nothing during its upload, like nginx's client_body_timeout.
UPLOAD_SILENCE = 60.0


# The message of a request whose body stalled.
STALLED = "request body stalled: its rest did not come in time"


class BodyStalled(Exception):
    """The caller stopped sending its body for longer than UPLOAD_SILENCE."""


class Body(ABC):
    """A request's body: iterate over it at most once.

    `received` is how many bytes have arrived, `caller_left` whether the caller has left.
    """

    def __init__(self) -> None:
        self.received = 0
        self.caller_left = False
        self._waited = 0.0
        self._wait_began: float | None = None

    def __aiter__(self) -> Body:
        return self

    def waited(self, now: float) -> float:
        """Return how long (seconds) the handler has waited for pieces, up to `now`."""
        return self._waited + (0.0 if self._wait_began is None else now - self._wait_began)

    def _begin_wait(self, now: float) -> None:
        self._wait_began = now

    def _end_wait(self, now: float) -> None:
        self._waited, self._wait_began = self.waited(now), None

    @abstractmethod
    async def __anext__(self) -> bytes:
        """Return the next piece. Raises BodyStalled when none arrives in time."""


@dataclass(slots=True)
class Request:
    """A caller's request. Header names are lower-case; path and query are the bytes as received.

    `memo` is the same object for requests of one connection whose heads are the same but for the Content-Length;
    what may be kept there, and what never, is said in `request_head`. `headers` is shared by such requests, too.
    """

    method: str
    path: bytes
    query: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    client: str | None  # the peer's address
    server: str | None  # the address that the caller connected to; None on a unix socket
    body: Body
    secure: bool = False  # over TLS
    on_loopback: bool = False  # received by a TCP listener on a loopback address
    certificate: tuple[str, ...] = ()  # the names in the caller's certificate, verified; common names first
    memo: HeadMemo = field(default_factory=HeadMemo, repr=False, compare=False)
    _index: dict[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index = dict(reversed(self.headers))

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


class Reply(ABC):
    """The response, in the order start, send …, end. Without an end it is cut off, which the caller notices."""

    def __init__(self) -> None:
        self._defaults: list[Headers] = []
        self._overrides: Headers = []
        self._added: Headers = []
        self.status: int | None = None
        self.sent = 0
        self.ended = False

    @property
    def started(self) -> bool:
        """Whether the head has been sent."""
        return self.status is not None

    @property
    def longest_write(self) -> float:
        """How long (seconds) the longest write has waited for the caller; 0 where that is unknown."""
        return 0.0

    def add_defaults(self, headers: Headers) -> None:
        """Add headers to the head to come: all of them, or none if it has one of their names already."""
        self._defaults.append(headers)

    def override(self, headers: Headers) -> None:
        """Set headers of the head to come, in place of those with the same names."""
        self._overrides += headers

    def add(self, header: tuple[bytes, bytes]) -> None:
        """Add a header to the head to come, beside those with the same name."""
        self._added.append(header)

    async def start(self, status: int, headers: Headers, *, more: bool = False) -> None:
        """Send the head. With `more`, a piece of the body follows at once, and the head may wait for it."""
        self.status = status
        present = {name.lower() for name, _ in headers}
        for default in self._defaults:
            if present.isdisjoint(name for name, _ in default):
                headers = [*headers, *default]
        if self._overrides or self._added:
            names = {name for name, _ in self._overrides}
            kept = [header for header in headers if header[0].lower() not in names]
            headers = [*kept, *self._overrides, *self._added]
        await self._start(status, headers, more=more)

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body."""
        self.sent += len(piece)
        await self._send(piece)

    async def end(self) -> None:
        """End the response cleanly."""
        await self._end()

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response of our own."""
        await self.write(status, headers, body)
        await self.end()

    async def write(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a response of our own, with Content-Length and Date, without ending it."""
        date = formatdate(usegmt=True).encode()
        headers = [*headers, (b"date", date), (b"content-length", b"%d" % len(body))]
        await self.start(status, headers, more=True)
        await self.send(body)

    @abstractmethod
    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:
        """Transport the head."""

    @abstractmethod
    async def _send(self, piece: bytes) -> None:
        """Transport a piece of the body."""

    @abstractmethod
    async def _end(self) -> None:
        """Set `ended`, and transport the end."""


Handler = Callable[[Request, Reply], Awaitable[None]]
