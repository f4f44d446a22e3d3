"""HTTP/1.1 as it arrives, for callers and providers that may stop reading at any byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

# Longer heads are sent as a fault on purpose, and need not be parsed.
_LONGEST_HEAD = 200_000


class Ended(Exception):
    """The other side closed before all had come, or said what cannot be understood."""


class Head(NamedTuple):
    """The first line, and the fields by lower-case name; of repeated ones the last."""

    line: bytes
    fields: Mapping[bytes, bytes]

    @property
    def status(self) -> int:
        """The status, if this is an answer's."""
        try:
            return int(self.line.split(b" ", 2)[1])
        except (IndexError, ValueError):
            raise Ended from None


class Reader:
    """Reads messages one after the other from `hear`, which returns what comes next and nothing at the end."""

    def __init__(self, hear: Callable[[], Awaitable[bytes | bytearray]]) -> None:
        self._hear = hear
        self._data = bytearray()

    async def head(self) -> Head:
        """Read a head. Ended if none comes."""
        first, *lines = (await self._until(b"\r\n\r\n")).split(b"\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        return Head(first, fields)

    async def body(self, head: Head, *, open_ended: bool = False) -> bytes:
        """Read the body that belongs to a head; `open_ended` if one without a length goes on to the end."""
        fields = head.fields
        if fields.get(b"transfer-encoding") == b"chunked":
            return await self._chunks()
        if b"content-length" in fields:
            return await self._exactly(int(fields[b"content-length"]))
        if open_ended:
            while await self._more():
                pass
            return await self._exactly(len(self._data))
        return b""

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            line = await self._until(b"\r\n")
            try:
                size = int(line, 16)
            except ValueError:
                raise Ended from None
            data = await self._exactly(size + 2)
            if not size:
                return body
            body += data[:-2]

    async def _until(self, mark: bytes) -> bytes:
        while (at := self._data.find(mark)) < 0:
            if len(self._data) > _LONGEST_HEAD or not await self._more():
                raise Ended
        found = bytes(self._data[:at])
        del self._data[: at + len(mark)]
        return found

    async def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            if not await self._more():
                raise Ended
        found = bytes(self._data[:size])
        del self._data[:size]
        return found

    async def _more(self) -> bool:
        data = await self._hear()
        self._data += data
        return bool(data)
