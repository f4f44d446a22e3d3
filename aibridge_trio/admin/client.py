"""A client of the admin API, for `aibridge top`, `breaker`, `reload` and the demo."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import trio

from aibridge_trio.config.units import Secret, show_duration
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.http.sse import Parser
from aibridge_trio.printable import visible

# Time between two attempts to reach a bridge that has gone (seconds).
RETRY = 1.0
# A status document may arrive early by this share of the interval and still count as the next one.
EARLY = 0.1
# The cause of Unreachable when the bridge closes the connection.
HUNG_UP = "it hung up"
# Timeout of a response, and between two events of the stream, which come every second (seconds).
_TIMEOUT = 5.0
# Maximum length of a response; a status document has some ten KiB (bytes).
_MAX_DOCUMENT = 1 << 20
# Maximum length of text from a peer that is shown, and of a line about a reload (characters).
_LONGEST, _LONGEST_LINE = 200, 1000
# Reading the configuration may wait for a slow disk, and for another reload (seconds).
_RELOAD_TIMEOUT = 60.0
# Paths of the admin API, which a copied URL may end in.
_PAGES = ("/status", "/status/stream", "/metrics", "/healthz", "/readyz")
_CALLERS = "that is where callers connect; the admin listener has another port, 4002 by default"
_CANNOT_RELOAD = "this bridge is of a version that cannot reload; restart it (SIGHUP would end it)"
_NOT_A_BRIDGE = "what answers there is no AI Bridge"
_TOO_LONG = "what it says is too long for a status"


class Unreachable(CommandError):
    """No AI Bridge answers at the URL; `why` is the cause, a short text."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no bridge answers at {url} ({why}); see --url")
        self.why = why


class Refused(CommandError):
    """The bridge answered with an error status; `why` is its message, cut, with the status and a remedy."""

    def __init__(self, url: str, message: str, status: int, remedy: str = "") -> None:
        self.why = f"{visible(message, _LONGEST)} ({status}){remedy}"
        super().__init__(f"{url} refused: {self.why}")
        self.message = visible(message, _LONGEST_LINE)
        self.status = status


class AdminClient:
    """A client of a running bridge's admin listener. Every method raises Unreachable and Refused.

    With an `address` it connects there, and not to one that the URL's host resolves to.
    """

    def __init__(self, url: str, token: Secret | None = None, address: str | None = None) -> None:
        self.url = url
        self.address = address
        self._token = token

    @property
    def name(self) -> str:
        """Its URL; with an address the same with that address, without the scheme."""
        return self.url if self.address is None else self.at.partition("://")[2]

    @property
    def at(self) -> str:
        """The URL that is connected to."""
        if self.address is None:
            return self.url
        parts = urlsplit(self.url)
        host = f"[{self.address}]" if ":" in self.address else self.address
        return parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host).geturl()

    async def status(self) -> Any:
        """Return `/status`."""
        return await self._request("GET", "/status")

    async def requests(self, request_id: str = "") -> list[dict[str, Any]]:
        """Return what is kept of this id, explained; without one the latest refused requests, the latest first."""
        path = f"/requests/{quote(request_id, safe='')}" if request_id else "/requests"
        try:
            found = (await self._request("GET", path)).get("requests")
        except Refused as refused:
            if refused.status == httpx.codes.NOT_FOUND and refused.message.startswith("no request"):
                return []
            raise
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Unreachable(self.url, _NOT_A_BRIDGE)
        return found

    async def follow(self, on_document: Callable[[Any], None]) -> None:
        """Call `on_document` with each document of `/status/stream` until the bridge ends the stream."""
        with trio.move_on_after(_TIMEOUT) as timeout:

            def received(document: Any) -> None:
                # Only documents reset the timeout, not comments or other events.
                timeout.deadline = trio.current_time() + _TIMEOUT
                on_document(document)

            await self._follow(received)
        if timeout.cancelled_caught:
            raise Unreachable(self.url, f"no word for {_TIMEOUT:g} s")

    async def _follow(self, on_document: Callable[[Any], None]) -> None:
        async with self._response("GET", "/status/stream") as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise Unreachable(self.url, _NOT_A_BRIDGE)
            parser = Parser(_MAX_DOCUMENT)
            async for piece in answer.aiter_bytes():
                for event in parser.feed(piece):
                    if event.name == "status":
                        on_document(self._document(event.data))
                if parser.overflowed:
                    raise Unreachable(self.url, _TOO_LONG)

    async def override(self, provider: str, mode: str, *, lasting: float | None = None, reason: str = "") -> str:
        """Set a breaker's mode (`open`, `close` or `auto`) and return a line with its new state.

        It is for so many seconds (None: without an end). Raises CommandError if the bridge knows no ends.
        """
        path = f"/breakers/{quote(provider, safe='')}"
        end = {} if lasting is None else {"for": show_duration(lasting)}
        why = {"reason": reason} if reason else {}
        breaker = await self._request("POST", path, json={"mode": mode, **end, **why})
        line = f"{provider}: {breaker.get('state')}, mode {breaker.get('mode')}"
        if lasting is not None:
            if not isinstance(breaker.get("override"), dict):
                raise CommandError(f"{self.url}: {line}, without an end: this bridge's version knows none")
            line += f", for {show_duration(lasting)}"
        return visible(line, _LONGEST)

    async def reload(self) -> list[str]:
        """Let the bridge reread its configuration; return a line for each change.

        Raises UsageError for a mistake in it, and if the bridge is too old for that.
        """
        try:
            found = await self._request("POST", "/reload", within=_RELOAD_TIMEOUT)
        except Refused as refused:
            if refused.status == httpx.codes.UNPROCESSABLE_ENTITY:
                raise UsageError(f"nothing is changed: {refused.message}") from None
            if refused.status == httpx.codes.NOT_FOUND:
                raise UsageError(f"nothing is changed: {_CANNOT_RELOAD}") from None
            raise
        lines = [
            visible(str(line), _LONGEST_LINE) for name in ("changes", "fixed") for line in found.get(name, [])
        ]
        return lines or ["nothing has changed"]

    async def _request(
        self, method: str, path: str, *, within: float | None = None, **more: Any
    ) -> dict[str, Any]:
        """Return the JSON document of a response that ends within the timeout."""
        within = within or _TIMEOUT
        try:
            with trio.fail_after(within):
                async with self._response(method, path, timeout=within, **more) as answer:
                    return self._document(await self._read(answer))
        except trio.TooSlowError:
            raise Unreachable(self.url, f"no answer within {within:g} s") from None

    @asynccontextmanager
    async def _response(self, method: str, path: str, **more: Any) -> AsyncIterator[httpx.Response]:
        headers = {"accept-encoding": "identity"}  # so that the length bound is the true length
        if self._token:
            headers["authorization"] = f"Bearer {self._token.reveal()}"
        # Loading certificates is slow, and most admin listeners have no TLS.
        verify = self.url.startswith("https:")
        parts = urlsplit(self.url)
        if self.address is not None:
            headers["host"] = parts.netloc
            more["extensions"] = {"sni_hostname": parts.hostname}
        try:
            async with (
                httpx.AsyncClient(
                    base_url=self.at, headers=headers, timeout=_TIMEOUT, trust_env=False, verify=verify
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
            raise Unreachable(self.url, _NOT_A_BRIDGE)
        return document

    def _refusal(self, status: int, text: bytes) -> CommandError:
        try:
            message = json.loads(text)["message"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return Unreachable(self.url, f"what answers there with {status} is no AI Bridge")
        return Refused(self.url, str(message), status, self._remedy(status))

    def _remedy(self, status: int) -> str:
        """Return what may help after an error status, "" if that is unknown."""
        page = next((page for page in _PAGES if self.url.endswith(page)), None)
        if status == httpx.codes.UNAUTHORIZED:
            return "; AIBRIDGE_ADMIN_TOKEN has another token" if self._token else "; set AIBRIDGE_ADMIN_TOKEN"
        if status == httpx.codes.NOT_FOUND and page:
            return f"; write the URL without {page}"
        return ""

    async def _read(self, answer: httpx.Response) -> bytes:
        """Return the body of a response, up to _MAX_DOCUMENT bytes."""
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > _MAX_DOCUMENT:
                raise Unreachable(self.url, _TOO_LONG)
        return body


def _why(error: Exception) -> str:
    """Return the cause of a failed request: the system's message, otherwise our own."""
    if message := next(filter(None, map(_system_message, _causes(error))), None):
        return message
    match error:
        case httpx.TimeoutException():
            return f"no word for {_TIMEOUT:g} s"
        case httpx.NetworkError():
            return HUNG_UP
        case httpx.RemoteProtocolError() if re.search("disconnected|closed", str(error)):
            return HUNG_UP
    return _NOT_A_BRIDGE


def _system_message(cause: BaseException) -> str | None:
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
    """Yield the error, its cause, and so on; of a group the first error."""
    while error:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
