"""HTTP as a client: the operator's, who talks to an admin listener, and the demo's callers."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import trio

from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError
from aibridge_trio.http.sse import Parser
from aibridge_trio.printable import visible

# Between two attempts to reach a bridge that has gone (seconds).
RETRY = 1.0
# A document that comes so much too early, as a part of the interval, is taken for the next one.
EARLY = 0.1
# What is said of a bridge that ended its stream.
HUNG_UP = "it hung up"
# An admin listener answers from memory, and its stream says something every second (seconds).
_TIMEOUT = 5.0
# A status document is some ten KiB (bytes).
_MAX_DOCUMENT = 1 << 20
# A line of it that a person reads, whoever it was that answered (characters).
_LONGEST = 200
# What the admin listener shows, and who copies its address may have copied, too.
_PAGES = ("/status", "/status/stream", "/metrics", "/healthz", "/readyz")
_CALLERS = "that is where callers connect; the admin listener has another port, 4002 by default"
_STRANGER = "what answers there is no AI Bridge"
_TOO_LONG = "what it says is too long for a status"


class Unreachable(CommandError):
    """Nobody answers, or nobody who is an AI Bridge; `why` in a few words."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no bridge answers at {url} ({why}); see --url")
        self.why = why


class Refused(CommandError):
    """The bridge answers, and says no; `why` in a few words."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} refused: {why}")
        self.why = why


class AdminClient:
    """Somebody at the admin listener of a running bridge. Everything raises Unreachable and Refused."""

    def __init__(self, url: str, token: Secret | None = None) -> None:
        self.url = url
        self._token = token

    async def status(self) -> Any:
        """Return `/status`."""
        return await self._ask("GET", "/status")

    async def follow(self, hear: Callable[[Any], None]) -> None:
        """Hand over each document of `/status/stream`, until the bridge ends it."""
        with trio.move_on_after(_TIMEOUT) as silence:

            def heard(document: Any) -> None:
                # Comments and other events are no sign of life.
                silence.deadline = trio.current_time() + _TIMEOUT
                hear(document)

            await self._follow(heard)
        if silence.cancelled_caught:
            raise Unreachable(self.url, f"no word for {_TIMEOUT:g} s")

    async def _follow(self, hear: Callable[[Any], None]) -> None:
        async with self._asking("GET", "/status/stream") as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise Unreachable(self.url, _STRANGER)
            parser = Parser(_MAX_DOCUMENT)
            async for piece in answer.aiter_bytes():
                for event in parser.feed(piece):
                    if event.name == "status":
                        hear(self._document(event.data))
                if parser.overflowed:
                    raise Unreachable(self.url, _TOO_LONG)

    async def override(self, provider: str, mode: str) -> str:
        """Force a breaker `open` or to `close`, or hand it back (`auto`); returns one line on its new state."""
        path = f"/breakers/{quote(provider, safe='')}"
        said = await self._ask("POST", path, json={"mode": mode})
        return visible(f"{provider}: {said.get('state')}, mode {said.get('mode')}", _LONGEST)

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """A short answer, which comes as a whole before long."""
        try:
            with trio.fail_after(_TIMEOUT):
                async with self._asking(method, path, **more) as answer:
                    return self._document(await self._read(answer))
        except trio.TooSlowError:
            raise Unreachable(self.url, f"no answer within {_TIMEOUT:g} s") from None

    @asynccontextmanager
    async def _asking(self, method: str, path: str, **more: Any) -> AsyncIterator[httpx.Response]:
        headers = {"accept-encoding": "identity"}  # nothing is inflated before it is counted
        if self._token:
            headers["authorization"] = f"Bearer {self._token.reveal()}"
        # Certificates take longer to load than a frame to draw, and most admin listeners have none.
        verify = self.url.startswith("https:")
        try:
            async with (
                httpx.AsyncClient(
                    base_url=self.url, headers=headers, timeout=_TIMEOUT, trust_env=False, verify=verify
                ) as client,
                client.stream(method, path, **more) as answer,
            ):
                if not answer.is_success:
                    if "x-aibridge-reject" in answer.headers:
                        raise Unreachable(self.url, _CALLERS)
                    raise self._refusal(answer.status_code, await self._read(answer))
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(self.url, _why(error)) from None

    def _document(self, text: bytes) -> dict[str, Any]:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise Unreachable(self.url, _STRANGER)
        return document

    def _refusal(self, status: int, text: bytes) -> CommandError:
        try:
            said = json.loads(text)["message"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return Unreachable(self.url, f"what answers there with {status} is no AI Bridge")
        return Refused(self.url, f"{visible(str(said), _LONGEST)} ({status}){self._remedy(status)}")

    def _remedy(self, status: int) -> str:
        """What may help after a refusal, "" if that is not known here."""
        page = next((page for page in _PAGES if self.url.endswith(page)), None)
        if status == httpx.codes.UNAUTHORIZED:
            return "; the one in AIBRIDGE_ADMIN_TOKEN is another" if self._token else "; set AIBRIDGE_ADMIN_TOKEN"
        if status == httpx.codes.NOT_FOUND and page:
            return f"; write the URL without {page}"
        return ""

    async def _read(self, answer: httpx.Response) -> bytes:
        """The whole of a short answer."""
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > _MAX_DOCUMENT:
                raise Unreachable(self.url, _TOO_LONG)
        return body


def override(url: str, token: Secret | None, provider: str, mode: str) -> str:
    """Do as `Operator.override`, outside Trio."""
    return trio.run(AdminClient(url, token).override, provider, mode)


def _why(error: Exception) -> str:
    """What is wrong, as the system would say it, else in our words."""
    if said := next(filter(None, map(_system, _causes(error))), None):
        return said
    match error:
        case httpx.TimeoutException():
            return f"no word for {_TIMEOUT:g} s"
        case httpx.NetworkError():
            return HUNG_UP
        case httpx.RemoteProtocolError() if re.search("disconnected|closed", str(error)):
            return HUNG_UP
    return _STRANGER


def _system(cause: BaseException) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"no TLS with it: {(cause.reason or 'it broke off').replace('_', ' ').lower()}"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number).lower()
        case OSError(strerror=str(text)):
            return text.lower()
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came of, and so on; of several attempts that failed, the first."""
    while error:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
