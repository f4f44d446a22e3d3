"""The operator's HTTP client: talks to the admin listener of a running bridge."""

from __future__ import annotations

from typing import Any

import httpx

from aibridge_trio.errors import Failure

# An admin listener answers from memory (seconds).
_TIMEOUT = 5.0


def override(url: str, token: str | None, provider: str, mode: str) -> str:
    """Force a breaker, or hand it back; returns one line on its new state. Raises Failure."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT, trust_env=False) as client:
            answer = client.post(f"/breakers/{provider}", json={"mode": mode})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failure(f"no bridge answers at {url} ({type(error).__name__}); see --url") from None
    said = _document(answer)
    if answer.is_success:
        return f"{provider}: {said.get('state')}, mode {said.get('mode')}"
    hint = "; set AIBRIDGE_ADMIN_TOKEN" if answer.status_code == httpx.codes.UNAUTHORIZED else ""
    raise Failure(f"{url} refused ({answer.status_code}): {said.get('message', 'no reason given')}{hint}")


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
