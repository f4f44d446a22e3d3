"""The demo's callers, and requests to the mock providers' control endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A request's result: status (0 for a broken answer), reason of a reject, and its Retry-After (seconds)."""

    status: int
    reject: str | None
    wait: float


class Caller:
    """A caller that requests short streams: the demo's load."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=_TIMEOUT, trust_env=False
        )

    async def ask(self, path: str) -> Answer:
        """Send one request, and read its answer to the end."""
        question = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        try:
            answer = await self._client.post(path, json=question)
        except httpx.HTTPError:
            return Answer(status=0, reject=None, wait=0.0)
        wait = float(answer.headers.get("retry-after-ms", 0)) / 1000
        return Answer(answer.status_code, answer.headers.get("x-aibridge-reject"), wait)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def post(url: str, path: str, document: dict[str, Any]) -> None:
    """Post a JSON document to a service of the demo."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:
        (await client.post(path, json=document)).raise_for_status()


async def delete(url: str, path: str) -> None:
    """Send a DELETE to a service of the demo."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:
        (await client.delete(path)).raise_for_status()
