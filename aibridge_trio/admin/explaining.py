"""What `aibridge explain` does: asks every replica about a request, and makes lines of what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.admin.orders import Outcome, by_cause, cause
from aibridge_trio.admin.replicas import Replicas
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError
from aibridge_trio.printable import visible

# Characters of a line that is shown.
_LONGEST_LINE = 600


def explain(urls: Sequence[str], token: Secret | None, request_id: str, *, as_json: bool) -> Outcome:
    """Return what the replicas keep of this id, or of "" the latest refused requests, the latest last.

    Its failure names the replicas that did not answer; and says so, if none knows the id.
    """
    return trio.run(_explain, urls, token, request_id, as_json)


async def _explain(urls: Sequence[str], token: Secret | None, request_id: str, as_json: bool) -> Outcome:
    clients = await Replicas(urls, token).find()
    found, failed = await ask(clients, request_id)
    outcome = Outcome()
    for each in found:
        if as_json:
            outcome.lines.append(json.dumps(each))
        elif request_id:
            outcome.lines += lines(each)
        else:
            outcome.lines.append(row(each))
    if len(failed) == len(clients) == 1:
        outcome.failure = next(iter(failed.values()))
    elif failed:
        causes = {name: cause(error) for name, error in failed.items()}
        outcome.failure = CommandError(f"not asked: {len(failed)} of {len(clients)} replicas: {by_cause(causes)}")
    elif not found and request_id:
        outcome.failure = CommandError(f"no request {visible(request_id, 64)} is kept; the log may still have it")
    elif not found:
        outcome.lines.append("no request was refused")
    return outcome


async def ask(
    clients: Sequence[AdminClient], request_id: str
) -> tuple[list[dict[str, Any]], dict[str, CommandError]]:
    """Return what the replicas keep, the latest last, and the errors of those that did not answer, by name."""
    found: list[dict[str, Any]] = []
    failed: dict[str, CommandError] = {}

    async def one(client: AdminClient) -> None:
        try:
            found.extend(await client.requests(request_id))
        except CommandError as error:
            failed[client.name] = error

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(one, client)
    return sorted(found, key=lambda each: str(each.get("time"))), failed


def lines(request: Mapping[str, Any]) -> list[str]:
    """Return the explanation of a request as lines."""
    words = request.get("explanation")
    said = [str(word) for word in words] if isinstance(words, list) else []
    head = f"{request.get('request_id')}, ended {request.get('time')}"
    return [visible(head, _LONGEST_LINE), *(f"  {visible(line, _LONGEST_LINE)}" for line in said)]


def row(request: Mapping[str, Any]) -> str:
    """Return a refused request as one line."""
    what = request.get("reject") or request.get("error_code") or request.get("cause") or ""
    fields = (request.get(name) or "-" for name in ("time", "request_id", "status"))
    shown = [*map(str, fields), str(what or "-"), str(request.get("provider")), str(request.get("caller") or "-")]
    return visible("  ".join(shown), _LONGEST_LINE)
