"""What `aibridge breaker` and `aibridge reload` do: an order to each replica at once, and a line for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from aibridge_trio.admin import replicas
from aibridge_trio.admin.client import AdminClient, Refused, Unreachable
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError, UsageError

_Act = Callable[[AdminClient], Awaitable[list[str]]]


@dataclass(slots=True)
class Outcome:
    """What the replicas answered, line by line; `failure` names those that did not do it, None if all did."""

    lines: list[str] = field(default_factory=list)
    failure: CommandError | UsageError | None = None


def override(
    urls: Sequence[str], token: Secret | None, provider: str, mode: str, *, lasting: float | None, reason: str
) -> Outcome:
    """Override a provider's breakers at every replica, for so many seconds (None: without an end)."""

    async def act(client: AdminClient) -> list[str]:
        return [await client.override(provider, mode, lasting=lasting, reason=reason)]

    return trio.run(_at_all, urls, token, act)


def reload(urls: Sequence[str], token: Secret | None) -> Outcome:
    """Let every replica reread its configuration."""
    return trio.run(_at_all, urls, token, AdminClient.reload)


async def _at_all(urls: Sequence[str], token: Secret | None, act: _Act) -> Outcome:
    clients = await replicas.find(urls, token)
    said: dict[str, list[str]] = {}
    failed: dict[str, CommandError | UsageError] = {}

    async def ask(client: AdminClient) -> None:
        try:
            said[client.name] = await act(client)
        except (CommandError, UsageError) as error:
            failed[client.name] = error

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(ask, client)
    if len(clients) == 1:
        [client] = clients
        return Outcome(said.get(client.name, []), failed.get(client.name))
    outcome = Outcome()
    for client in clients:
        lines = [f"not done, {_why(failed[client.name])}"] if client.name in failed else said[client.name]
        outcome.lines += [f"{client.name}  {line}" for line in lines]
    if failed:
        kind = UsageError if all(isinstance(each, UsageError) for each in failed.values()) else CommandError
        names = ", ".join(client.name for client in clients if client.name in failed)
        outcome.failure = kind(f"not done at {len(failed)} of {len(clients)} replicas: {names}")
    return outcome


def _why(error: CommandError | UsageError) -> str:
    return error.why if isinstance(error, Refused | Unreachable) else str(error)
