"""The mock provider as an ASGI application, and its control endpoint."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import trio

from aibridge_trio.http.message import BodyStalled
from aibridge_trio.mock.capacity import Capacity, credential_of
from aibridge_trio.mock.compose import Composer
from aibridge_trio.mock.decoded_body import DecodedBody
from aibridge_trio.mock.json_fields import ControlError
from aibridge_trio.mock.options import changed
from aibridge_trio.mock.playback import play
from aibridge_trio.mock.provider_errors import openai_error
from aibridge_trio.mock.request_log import MockStats, RequestLog
from aibridge_trio.mock.routes import LIMITED, find
from aibridge_trio.mock.script import UNSCRIPTED, Script
from aibridge_trio.mock.turn import encode
from aibridge_trio.server.asgi import exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from aibridge_trio.http.headers import Headers
    from aibridge_trio.http.message import Reply, Request
    from aibridge_trio.mock.options import MockOptions
    from aibridge_trio.mock.playback import Answer
    from aibridge_trio.mock.request_log import Entry
    from aibridge_trio.server.asgi import Application, Receive, Scope, Send

_JSON: Headers = [(b"content-type", b"application/json")]


def _still() -> float:
    """A constant wall clock, so that responses are the same in every run."""
    return 1_790_000_000.0


class Mock:
    """The mock provider: `app` is the ASGI application, `statistics()` returns what it has received.

    `wall_clock` (Unix seconds) dates the responses and the resets of quotas, which `clock` (seconds) refills.
    """

    def __init__(
        self,
        options: MockOptions,
        *,
        wall_clock: Callable[[], float] = _still,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._options = options
        self._wall_clock = wall_clock
        self._capacity = Capacity(options, clock=clock, wall_clock=wall_clock)
        self._request_log = RequestLog()
        self._script = Script()
        self._serials = count(1)
        self._random = Random(options.seed)  # noqa: S311 - failures that can be repeated, not secrets

    @property
    def app(self) -> Application:
        """The ASGI application, for HTTP only."""
        return self._app

    def statistics(self) -> MockStats:
        """Return what has been counted."""
        return self._request_log.statistics(self._script.left, self._capacity)

    def change(self, options: MockOptions) -> None:
        """Put other options in force, except for `bind` and `seed`, which are read at the start."""
        self._options = options
        self._capacity.change(options)

    @property
    def options(self) -> MockOptions:
        """The options in force."""
        return self._options

    def __repr__(self) -> str:
        return f"<Mock requests={self._request_log.requests} in_flight={self._request_log.in_flight}>"

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].startswith("/mock/"):
            await exchange(scope, receive, send, self._control)
        elif find(scope["method"], scope["path"], anthropic=False).act == "probe":
            await exchange(scope, receive, send, _probe)
        else:
            reset = scope.get("extensions", {}).get("aibridge.reset")
            with self._request_log.entry(scope) as entry:
                await exchange(scope, receive, entry.watch(send), partial(self._contained, entry, reset))

    async def _contained(
        self, entry: Entry, reset: Callable[[], None] | None, request: Request, reply: Reply
    ) -> None:
        """Respond; an exception ends this request only."""
        try:
            await self._handle(entry, reset, request, reply)
        except BodyStalled:
            await reply.answer(
                408, _JSON, encode(openai_error(408, "The body of your request did not arrive in time."))
            )
        except Exception as error:  # noqa: BLE001 - containment
            where = f"{request.method} {request.path.decode('latin-1')}"
            sys.stderr.write(f"aibridge mock: {where}: {type(error).__name__}: {error}\n")
            if not reply.started:
                await reply.answer(500, _JSON, encode(openai_error(500)))
            entry.settle()

    async def _handle(
        self, entry: Entry, reset: Callable[[], None] | None, request: Request, reply: Reply
    ) -> None:
        """Take what is scripted for this request when it arrives, read its body, and respond."""
        path = request.path.decode("latin-1")
        versioned = request.header(b"anthropic-version") is not None
        route = find(request.method, path, anthropic=versioned)
        scripted, failing, serial = None, None, next(self._serials)
        if route.act != "none":
            scripted = self._script.take(path)
            failing = None if scripted else self._draw()
        body = DecodedBody(request.header_values(b"content-encoding"))
        async for piece in request.body:
            entry.feed(piece)
            body.feed(piece)
        created = int(self._wall_clock())
        composer = Composer(self._options, request, route, bytes(body.text), serial=serial, created=created)
        refused = body.fault if scripted is None and failing is None else None
        answer = composer.refused(*refused) if refused else composer.answer(scripted or UNSCRIPTED, failing)
        if route.act in LIMITED:
            credential = credential_of(request)
            answer = await self._charged(entry, credential, composer, answer)
            left = self._capacity.headers(credential, anthropic=composer.anthropic)
            scripted_names = scripted.names if scripted else ()
            headers = [*answer.headers, *(each for each in left if each[0] not in scripted_names)]
            answer = replace(answer, headers=headers)
        await play(reply, answer, settle=entry.settle, reset=reset)

    async def _charged(self, entry: Entry, credential: bytes | None, composer: Composer, answer: Answer) -> Answer:
        """Charge a quota and take a slot; return the response, or the pushback in its place."""
        if answer.cost:
            pushback = await self._capacity.admit(credential, entry, answer.cost, anthropic=composer.anthropic)
            if pushback:
                answer = composer.pushed_back(pushback, answer.cost)
        return answer

    def _draw(self) -> int | None:
        """Draw the status with which this request fails, None for a success."""
        if not self._options.fail:
            return None
        lot = self._random.random()
        for status, probability in self._options.fail:
            if lot < probability:
                return status
            lot -= probability
        return None

    async def _control(self, request: Request, reply: Reply) -> None:
        """Serve `/mock/script`, `/mock/options` and `/mock/stats`."""
        match request.method, request.path:
            case "POST", b"/mock/script" | b"/mock/options":
                document = b"".join([piece async for piece in request.body])
                try:
                    if request.path == b"/mock/script":
                        self._script.extend(document)
                    else:
                        self.change(changed(self._options, document))
                except ControlError as error:
                    await reply.answer(400, _JSON, encode(openai_error(400, str(error))))
                    return
            case "DELETE", b"/mock/script":
                self._script.clear()
            case "DELETE", b"/mock/stats":
                self._request_log.reset()
                self._capacity.pushed_back.clear()
            case "GET", b"/mock/stats":
                pass
            case _:
                known = "POST or DELETE /mock/script, POST /mock/options, GET or DELETE /mock/stats"
                await reply.answer(404, _JSON, encode(openai_error(404, f"The control endpoint has {known}.")))
                return
        await reply.answer(200, _JSON, encode(asdict(self.statistics())))


async def _probe(_request: Request, reply: Reply) -> None:
    await reply.answer(200, _JSON, encode({"status": "ok"}))
