"""The demo's callers, and its orders to the mock providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller got: status (0 for a broken answer), the bridge's reason if it was a reject, the wait told."""

    status: int
    reject: str | None
    wait: float


class Caller:
    """Somebody who asks a provider for a short stream, again and again: the demo's load."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=_TIMEOUT, trust_env=False
        )

    async def ask(self, path: str) -> Answer:
        """Ask once; read to the end."""
        question = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        try:
            answer = await self._client.post(path, json=question)
        except httpx.HTTPError:
            return Answer(status=0, reject=None, wait=0.0)
        wait = float(answer.headers.get("retry-after-ms", 0)) / 1000
        return Answer(answer.status_code, answer.headers.get("x-aibridge-reject"), wait)

    async def aclose(self) -> None:
        """Hang up."""
        await self._client.aclose()


async def post(url: str, path: str, document: dict[str, Any]) -> None:
    """Post a JSON document to a service of our own."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:
        (await client.post(path, json=document)).raise_for_status()


async def delete(url: str, path: str) -> None:
    """Delete something at a service of our own."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:
        (await client.delete(path)).raise_for_status()
