"""What `aibridge breaker` and `aibridge reload` do: an order to each replica at once, and a line for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from aibridge_trio.admin.client import AdminClient, Refused, Unreachable
from aibridge_trio.admin.replicas import Replicas
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.printable import a_few

_Act = Callable[[AdminClient], Awaitable[list[str]]]


@dataclass(slots=True)
class Outcome:
    """What the replicas answered, line by line.

    `failure` names those that did not do it, and why; None if all did.
    """

    lines: list[str] = field(default_factory=list)
    failure: CommandError | UsageError | None = None


def override(
    urls: Sequence[str], token: Secret | None, provider: str, mode: str, *, lasting: float | None, reason: str
) -> Outcome:
    """Override a provider's breakers at every replica, for so many seconds (None: without an end)."""

    async def run() -> Outcome:
        clients = await Replicas(urls, token).find()
        return await override_at(clients, provider, mode, lasting=lasting, reason=reason)

    return trio.run(run)


def reload(urls: Sequence[str], token: Secret | None) -> Outcome:
    """Let every replica reread its configuration."""

    async def run() -> Outcome:
        return await _at_each(await Replicas(urls, token).find(), AdminClient.reload)

    return trio.run(run)


async def override_at(
    clients: Sequence[AdminClient], provider: str, mode: str, *, lasting: float | None = None, reason: str = ""
) -> Outcome:
    """Override a provider's breakers at these replicas, all at once."""

    async def act(client: AdminClient) -> list[str]:
        return [await client.override(provider, mode, lasting=lasting, reason=reason)]

    return await _at_each(clients, act)


async def _at_each(clients: Sequence[AdminClient], act: _Act) -> Outcome:
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
    widest = max(len(client.name) for client in clients)
    for client in clients:
        lines = [f"not done, {cause(failed[client.name])}"] if client.name in failed else said[client.name]
        outcome.lines += [f"{client.name:<{widest}}  {line}" for line in lines]
    if failed:
        kind = UsageError if all(isinstance(each, UsageError) for each in failed.values()) else CommandError
        causes = {client.name: cause(failed[client.name]) for client in clients if client.name in failed}
        outcome.failure = kind(f"not done at {len(failed)} of {len(clients)} replicas: {by_cause(causes)}")
    return outcome


def by_cause(causes: Mapping[str, str]) -> str:
    """Return the replicas of each cause, a few of them by name: `a, b (connection refused); c (it hung up)`."""
    names: dict[str, list[str]] = {}
    for name, cause in causes.items():
        names.setdefault(cause, []).append(name)
    return "; ".join(f"{a_few(found)} ({cause})" for cause, found in names.items())


def cause(error: CommandError | UsageError) -> str:
    """Return why a replica did not do it, without its name."""
    return error.why if isinstance(error, Refused | Unreachable) else str(error)
