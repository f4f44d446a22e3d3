"""The admin API for all workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aibridge_trio.admin import override_order
from aibridge_trio.admin.access import Refusal
from aibridge_trio.admin.api import Api, read_body
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.exposition_format import Exposition, Family, TextFormat
from aibridge_trio.telemetry.recent_requests import SHOWN
from aibridge_trio.workers.admin_calls import AdminCall, Answered
from aibridge_trio.workers.crew import Crew

_OK, _UNAVAILABLE = 200, 503


class CrewAdmin(Api):
    """Answers for all workers of a crew.

    own       The supervisor's metrics.
    complete  Puts into the document what the supervisor knows.
    """

    def __init__(
        self,
        crew: Crew,
        *,
        own: Callable[[], list[Family]],
        complete: Callable[[dict[str, Any]], dict[str, Any]],
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self._crew = crew
        self._own = own
        self._complete = complete
        self._exposition = Exposition()
        crew.changed = self.wake

    async def _scrape(self, form: TextFormat, *, gzip: bool) -> bytes:
        await self._crew.refresh()
        return await self._exposition.scrape(self._crew.reports.families(self._own()), form, gzip=gzip)

    async def _document(self) -> dict[str, Any]:
        await self._crew.refresh()
        document = self._crew.reports.document()
        if document is None:
            raise Refusal(_UNAVAILABLE, "no worker has served yet")
        return self._complete(document)

    async def _find(self, request_id: str | None) -> list[dict[str, Any]]:
        answers = await self._crew.ask("requests", request_id)
        found = [each for answer in answers.values() for each in answer]
        if request_id is None:
            return sorted(found, key=_time, reverse=True)[:SHOWN]
        return sorted(found, key=_time)[-SHOWN:]

    async def _override(self, request: Request, reply: Reply) -> str:
        call = AdminCall(request.method, request.path, request.headers, await read_body(request), request.client)
        answers: list[Answered] = [*(await self._crew.ask("admin", call)).values()]
        if not answers:
            raise Refusal(_UNAVAILABLE, "no worker serves now; try again")
        answer = next((each for each in answers if each.status != _OK), answers[0])
        if answer.status != _OK:
            raise Refusal(answer.status, json.loads(answer.body)["message"])
        await reply.answer(_OK, [(b"content-type", b"application/json")], answer.body)
        return override_order.read(call.body).words


def _time(request: dict[str, Any]) -> str:
    """RFC 3339 in UTC: the order of texts is that of times."""
    return str(request["time"])
