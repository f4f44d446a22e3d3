"""Composes a response from a request, a script and the options."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from aibridge_trio.mock import catalogue
from aibridge_trio.mock.chat import CHAT
from aibridge_trio.mock.messages import MESSAGES
from aibridge_trio.mock.playback import Answer
from aibridge_trio.mock.provider_errors import (
    STATUS_OF,
    anthropic_error,
    anthropic_pushback,
    is_retryable,
    openai_error,
    openai_pushback,
)
from aibridge_trio.mock.responses import RESPONSES
from aibridge_trio.mock.script import UNSCRIPTED
from aibridge_trio.mock.tools import requested_call, structured
from aibridge_trio.mock.turn import Dialect, Event, Turn, encode, verbatim, words_in

if TYPE_CHECKING:
    from aibridge_trio.http.headers import Headers
    from aibridge_trio.http.message import Request
    from aibridge_trio.mock.capacity import Pushback
    from aibridge_trio.mock.options import MockOptions
    from aibridge_trio.mock.routes import Route
    from aibridge_trio.mock.script import Scripted
    from aibridge_trio.mock.turn import Json

_DIALECTS: dict[str, Dialect] = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
_NEEDS = {
    **{act: dialect.needs for act, dialect in _DIALECTS.items()},
    "count_tokens": MESSAGES.needs,
    "embeddings": ("model", "input"),
}
# The types of the fields that hold the prompt.
_PROMPT_TYPES = {"messages": (list,), "input": (str, list)}
_BYTES_A_TOKEN = 4
_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"


class _InvalidRequest(Exception):
    """The request is invalid for the provider."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Composer:
    """Composes the response to one request, from its complete `body` and its `route`."""

    def __init__(
        self, options: MockOptions, request: Request, route: Route, body: bytes, *, serial: int, created: int
    ) -> None:
        self._options = options
        self._asked = request
        self._route = route
        self._body = body
        self._serial = serial
        self._created = created
        self._request = _parsed(body) if route.act in _NEEDS else {}
        self._dialect = _DIALECTS.get(route.act)
        self._streamed = self._dialect is not None and (self._request or {}).get("stream") is True

    @property
    def anthropic(self) -> bool:
        """Whether the request is in Anthropic's dialect."""
        return self._route.anthropic

    def answer(self, scripted: Scripted, failing: int | None) -> Answer:
        """Return the scripted response, else the failure that was drawn, else the usual response."""
        if scripted.chunks is not None or scripted.body is not None:
            return self._verbatim(scripted)
        code = scripted.error
        if scripted.fault == "error_event":
            code = (
                None if self._streamed else code or self._overload
            )  # without a stream: an error response instead of an event
        status = failing or scripted.status or (STATUS_OF.get(code, 500) if code else 200)
        if code or status >= 400:  # noqa: PLR2004 - the errors
            return self._error_response(status, code, scripted)
        try:
            turn = self._checked(scripted.tokens)
        except _InvalidRequest as refused:
            return self._whole(400, self._error(400, str(refused), refused.param), scripted)
        if self._dialect and self._streamed:
            return self._stream(status, turn, self._dialect, scripted)
        return self._unary(status, turn, scripted)

    def refused(self, status: int, message: str) -> Answer:
        """Return the response to a request whose body cannot be decoded."""
        return self._whole(status, self._error(status, message), UNSCRIPTED)

    def pushed_back(self, pushback: Pushback, tokens: int) -> Answer:
        """Return the response to a request that is not taken: at once, with the wait if it is known."""
        if self._route.anthropic:
            document = anthropic_pushback(pushback, self._request_id)
        else:
            document = openai_pushback(pushback, str((self._request or {}).get("model")), tokens)
        waits: Headers = []
        if pushback.wait is not None:
            waits.append((b"retry-after", b"%d" % math.ceil(pushback.wait)))
            if not self._route.anthropic:
                waits.append((b"retry-after-ms", b"%d" % math.ceil(pushback.wait * 1000)))
        refusal = self._sized(pushback.status, encode(document), UNSCRIPTED, extra=waits)
        return replace(refusal, wait=0.0)

    def _stream(self, status: int, turn: Turn, dialect: Dialect, scripted: Scripted) -> Answer:
        return Answer(
            status=status,
            headers=self._headers(_EVENTS, scripted),
            events=dialect.events(turn),
            wait=self._wait(scripted),
            pace=self._options.tokens_per_second,
            fault=scripted.fault,
            after=scripted.after,
            error=self._event(turn, dialect, scripted),
            cost=self._cost(turn),
        )

    def _unary(self, status: int, turn: Turn, scripted: Scripted) -> Answer:
        if self._route.act == "none":
            where = f"{self._asked.method} {self._asked.path.decode('latin-1')}"
            return self._whole(404, self._error(404, f"Not found: {where}"), scripted)
        pace = self._options.tokens_per_second if self._dialect else 0.0
        thinking = turn.output_tokens / pace if pace else 0.0
        whole = self._whole(status, self._document(turn), scripted, thinking=thinking)
        return replace(whole, cost=self._cost(turn))

    def _verbatim(self, scripted: Scripted) -> Answer:
        """Return the script's body or chunks unchanged."""
        status = scripted.status or 200
        cost = self._cost(self._turn(scripted.tokens)) if status < 400 else 0  # noqa: PLR2004 - the errors
        if scripted.chunks is None:
            body = verbatim(scripted.body) if isinstance(scripted.body, str) else encode(scripted.body)
            return replace(self._sized(status, body, scripted), cost=cost)
        return Answer(
            status=status,
            headers=self._headers(_EVENTS if self._streamed else _JSON, scripted),
            events=[Event(verbatim(chunk), words=1) for chunk in scripted.chunks],
            wait=self._wait(scripted),
            pace=1 / scripted.chunk_delay if scripted.chunk_delay else 0.0,
            fault=scripted.fault,
            after=scripted.after,
            error=self._event(self._turn(None), self._dialect or CHAT, scripted),
            apart=True,
            cost=cost,
        )

    def _whole(self, status: int, document: Json, scripted: Scripted, *, thinking: float = 0.0) -> Answer:
        return self._sized(status, encode(document), scripted, thinking=thinking)

    def _error_response(self, status: int, code: str | None, scripted: Scripted) -> Answer:
        retry: Headers = [(b"retry-after", b"1")] if is_retryable(status, code) else []
        return self._sized(status, encode(self._error(code or status)), scripted, extra=retry)

    def _sized(
        self,
        status: int,
        body: bytes,
        scripted: Scripted,
        *,
        extra: Headers | None = None,
        thinking: float = 0.0,
    ) -> Answer:
        """Return a unary response in two halves, between which a fault may occur."""
        half = len(body) // 2
        length = (b"content-length", b"%d" % len(body))
        return Answer(
            status=status,
            headers=self._headers(_JSON, scripted, [length, *(extra or [])]),
            events=[Event(body[:half]), Event(body[half:])],
            wait=self._wait(scripted) + thinking,
            fault=scripted.fault if scripted.fault != "error_event" else None,
            after=min(scripted.after, 1),
        )

    def _document(self, turn: Turn) -> Json:
        """Return the document for a valid request."""
        anthropic = self._route.anthropic
        match self._route.act:
            case "count_tokens":
                return catalogue.counted(turn)
            case "embeddings":
                return catalogue.embeddings(turn)
            case "models":
                return catalogue.models(self._created, anthropic=anthropic)
            case "model":
                return catalogue.model(self._route.name, self._created, anthropic=anthropic)
        if self._dialect:
            return self._dialect.whole(turn)
        return {"method": self._asked.method, "path": self._asked.path.decode("latin-1")}

    def _checked(self, tokens: int | None) -> Turn:
        """Check the fields that the route requires; return the turn."""
        if self._request is None:
            raise _InvalidRequest("The body of your request is not a JSON object.")
        for name in _NEEDS.get(self._route.act, ()):
            if name not in self._request:
                raise _InvalidRequest(self._missing(name), name)
            if not isinstance(self._request[name], _PROMPT_TYPES.get(name, (str,))):
                raise _InvalidRequest(f"Invalid type for '{name}'.", name)
        return self._turn(tokens)

    def _cost(self, turn: Turn) -> int:
        """Return the tokens of a response, in and out; 0 on routes that no model answers."""
        if self._dialect:
            return turn.input_tokens + turn.output_tokens
        return turn.input_tokens if self._route.act == "embeddings" else 0

    def _turn(self, tokens: int | None) -> Turn:
        request = self._request or {}
        said = structured(request) if self._dialect else None
        return Turn(
            request=request,
            serial=self._serial,
            created=self._created,
            input_tokens=max(1, len(self._body) // _BYTES_A_TOKEN),
            output_tokens=(self._options.tokens if tokens is None else tokens) if said is None else words_in(said),
            call=requested_call(self._dialect, request) if self._dialect else None,
            structured=said,
        )

    def _missing(self, name: str) -> str:
        return f"{name}: Field required" if self._route.anthropic else f"Missing required parameter: '{name}'."

    def _error(self, cause: str | int, message: str | None = None, param: str | None = None) -> Json:
        if self._route.anthropic:
            return anthropic_error(cause, self._request_id, message)
        return openai_error(cause, message, param)

    def _event(self, turn: Turn, dialect: Dialect, scripted: Scripted) -> bytes:
        return dialect.broken(turn, scripted.error or self._overload, scripted.after, scripted.error_as)

    def _headers(self, kind: bytes, scripted: Scripted, extra: Headers | None = None) -> Headers:
        """Return the usual headers, replaced or removed as scripted."""
        name = b"request-id" if self._route.anthropic else b"x-request-id"
        usual = [(b"content-type", kind), (name, self._request_id.encode()), *(extra or [])]
        own = {key.lower().encode(): value for key, value in scripted.headers.items()}
        added = [(key, value.encode("latin-1")) for key, value in own.items() if value is not None]
        return [(key, value) for key, value in usual if key not in own] + added

    def _wait(self, scripted: Scripted) -> float:
        return self._options.latency + scripted.delay

    @property
    def _request_id(self) -> str:
        return f"req_mock{self._serial:06}"

    @property
    def _overload(self) -> str:
        return "overloaded_error" if self._route.anthropic else "server_is_overloaded"


def _parsed(body: bytes) -> Json | None:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None
