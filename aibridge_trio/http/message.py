"""A request and its reply, as every handler sees them, whoever carries their bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from aibridge_trio.http.headers import Headers

# The longest silence (seconds) of a caller in the middle of its upload. nginx's client_body_timeout.
UPLOAD_SILENCE = 60.0


class BodyStalled(Exception):
    """The caller began to send a body and fell silent."""


class Body(ABC):
    """A request's body: iterate over it once, or not at all.

    `received` is how many bytes of it have come, `caller_left` whether its caller has gone.
    """

    def __init__(self) -> None:
        self.received = 0
        self.caller_left = False
        self._waited = 0.0
        self._wait_began: float | None = None

    def __aiter__(self) -> Body:
        return self

    def waited(self, now: float) -> float:
        """Return for how long (seconds) pieces have been waited for, up to `now`."""
        return self._waited + (0.0 if self._wait_began is None else now - self._wait_began)

    def _begin_wait(self, now: float) -> None:
        self._wait_began = now

    def _end_wait(self, now: float) -> None:
        self._waited, self._wait_began = self.waited(now), None

    @abstractmethod
    async def __anext__(self) -> bytes:
        """Return the next piece; BodyStalled when none comes in time."""


@dataclass(slots=True)
class Request:
    """What the caller sent. Header names are lower-case; path and query are the bytes that came."""

    method: str
    path: bytes
    query: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    client: str | None  # the peer's address
    server: str | None  # ours, as the peer sees it; None on a unix socket
    body: Body
    secure: bool = False  # in TLS
    on_loopback: bool = False  # to a TCP listener that only programs of this machine reach
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
        if len(self._index) == len(self.headers):  # none comes twice
            return [self._index[name]]
        return [value for key, value in self.headers if key == name]


class Reply(ABC):
    """The answer, in the order start, send …, end; without an end it breaks off, and the caller sees that."""

    def __init__(self) -> None:
        self._defaults: list[Headers] = []
        self._overrides: Headers = []
        self._added: Headers = []
        self.status: int | None = None
        self.sent = 0
        self.ended = False

    @property
    def started(self) -> bool:
        """Whether the head has gone out."""
        return self.status is not None

    @property
    def longest_write(self) -> float:
        """For how long (seconds) the longest write has waited for the caller; 0 where that is unknown."""
        return 0.0

    def add_defaults(self, headers: Headers) -> None:
        """Add headers to the head to come, all of them, unless it brings one of these names by itself."""
        self._defaults.append(headers)

    def override(self, headers: Headers) -> None:
        """Let the head to come have these headers, in place of what it brings under their names."""
        self._overrides += headers

    def add(self, header: tuple[bytes, bytes]) -> None:
        """Add a header to the head to come, beside what it brings under the same name."""
        self._added.append(header)

    async def start(self, status: int, headers: Headers, *, more: bool = False) -> None:
        """Send the head; with `more` it may wait for a piece of the body, which follows at once."""
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
        """End it cleanly."""
        await self._end()

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer of our own, and end it."""
        await self.write(status, headers, body)
        await self.end()

    async def write(self, status: int, headers: Headers, body: bytes) -> None:
        """Send all of an answer of our own, sized and dated, but for its end."""
        date = formatdate(usegmt=True).encode()
        headers = [*headers, (b"date", date), (b"content-length", b"%d" % len(body))]
        await self.start(status, headers, more=True)
        await self.send(body)

    @abstractmethod
    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:
        """Carry the head."""

    @abstractmethod
    async def _send(self, piece: bytes) -> None:
        """Carry a piece of the body."""

    @abstractmethod
    async def _end(self) -> None:
        """Set `ended`, and carry the end."""


Handler = Callable[[Request, Reply], Awaitable[None]]
