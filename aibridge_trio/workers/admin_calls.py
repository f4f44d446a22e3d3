"""Requests of operators that a worker answers for its supervisor, with its own admin API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import trio

from aibridge_trio.admin.api import Api
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Body, Request, TransportedReply


@dataclass(frozen=True)
class AdminCall:
    """A request that the supervisor has admitted. `client` is the operator's address."""

    method: str
    path: bytes
    headers: Headers
    body: bytes
    client: str | None


class Answered(NamedTuple):
    """The response to it."""

    status: int
    headers: Headers
    body: bytes


async def answer(admin: Api, call: AdminCall) -> Answered:
    """Let the admin API answer."""
    headers = [(b"host", b"localhost"), *(each for each in call.headers if each[0] == b"content-type")]
    request = Request(call.method, call.path, b"", headers, call.client, "localhost", _Whole(call.body))
    reply = _Kept()
    await admin.handle(request, reply)
    return Answered(reply.status or 0, reply.headers, bytes(reply.content))


class _Whole(Body):
    """A body that is there."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._content:
            raise StopAsyncIteration
        content, self._content = self._content, b""
        return content


class _Kept(TransportedReply):
    """A response that is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: Headers = []
        self.content = bytearray()

    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:  # noqa: ARG002 - all is kept
        self.headers = headers
        await trio.lowlevel.checkpoint()

    async def _send(self, piece: bytes) -> None:
        self.content += piece
        await trio.lowlevel.checkpoint()

    async def _end(self) -> None:
        self.ended = True
        await trio.lowlevel.checkpoint()
