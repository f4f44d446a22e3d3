"""A provider's central key, and what may go up beside it.

The account that is asked, and what it is asked for, is the operator's to choose: a caller's header must not steer
the provider (`openai-organization`, `cookie`, `x-http-method-override`) or whoever stands before it
(`forwarded`, `via`, `x-original-url`). So what is not listed stays behind, in every dialect alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aibridge_trio.config.units import Secret
from aibridge_trio.http import headers as h
from aibridge_trio.printable import quoted
from aibridge_trio.providers import Provider

# What describes a request, its body and the wanted answer; what names it, for retries and for tracing; and what
# the clients were recorded to send: OpenAI's and Anthropic's SDKs, Codex 0.171, Claude Code 2.1, opencode 1.18.
_NAMES = (
    "accept",
    "accept-[a-z-]+",
    "content-[a-z0-9-]+",
    "user-agent",
    "idempotency-key",
    "openai-beta",
    "anthropic-[a-z0-9-]+",
    "x-stainless-[a-z0-9-]+",
    "(x-)?(request|correlation)-id",
    "x-client-request-id",
    "traceparent|tracestate|baggage|b3|x-b3-[a-z]+|sentry-trace",
    "x-app|x-claude-code-[a-z0-9-]+",
    "originator|version|(session|thread)-id|x-codex-[a-z0-9-]+",
    "x-session-(id|affinity)",
)
_MAY_GO = re.compile("|".join(_NAMES).encode())
# So many names are remembered, each of them so long (bytes) at most: they are callers' to choose.
_MOST, _LONGEST = 200, 100


@dataclass(slots=True)
class CentralKey:
    """The key of a provider as its header, and the headers that its operator adds.

    `told` hears once of each name that stays behind.
    """

    header: tuple[bytes, bytes] = field(repr=False)
    secret: Secret = field(repr=False)
    added: h.Headers = field(default_factory=list)
    told: Callable[[str], None] = field(default=lambda _: None, repr=False)
    _known: dict[bytes, bool] = field(default_factory=dict, init=False, repr=False)

    def headers(self, headers: h.Headers) -> h.Headers:
        """Return those of a caller's headers that may go up, and then the operator's."""
        known = self._known
        kept = [header for header in headers if known.get(header[0]) or self._may_go(header[0])]
        return [*kept, *self.added, self.header]

    def _may_go(self, name: bytes) -> bool:
        """Tell whether a name may go up, and remember it."""
        if name in self._known:
            return self._known[name]
        may_go = _MAY_GO.fullmatch(name) is not None
        if len(self._known) < _MOST and len(name) <= _LONGEST:
            self._known[name] = may_go
            if not may_go and name not in h.CREDENTIALS:
                self.told(f"header {quoted(name.decode('latin-1'))} is not sent beside the central key")
        return may_go


def central_key(
    provider: Provider, key: Secret | None, added: Mapping[str, str | None], told: Callable[[str], None]
) -> CentralKey | None:
    """Return what a provider's requests go up with; `added` are names (with `_` for `-`) and values of headers."""
    if key is None or provider.credential is None:
        return None
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in added.items() if value]
    return CentralKey(provider.credential(key.reveal()), key, headers, told)
