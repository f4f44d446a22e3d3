"""A provider's central key, and the headers that may be sent beside it.

The operator decides which account is used, and for what. A caller's header must not influence the provider
(`openai-organization`, `cookie`, `x-http-method-override`) or a proxy before it (`forwarded`, `via`,
`x-original-url`). So only listed headers are sent, for every provider alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.http import headers as h
from aibridge_trio.printable import quoted

# Headers that describe the request, its body and the wanted answer; ids for retries and tracing; and headers that
# these clients were recorded to send: OpenAI's and Anthropic's SDKs, Codex 0.171, Claude Code 2.1, opencode 1.18.
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
# How many names are remembered, and their longest length (bytes): callers choose the names.
_MOST, _LONGEST = 200, 100


@dataclass(slots=True)
class CentralKey:
    """What goes up beside a provider's central key: the caller's headers that may, and those of the operator.

    The key itself is one of `keys`, chosen for each request; None if the provider needs none. `warn` is called
    once for each header name that is not sent.
    """

    keys: ProviderKeys | None
    added: h.Headers = field(default_factory=list)
    warn: Callable[[str], None] = field(default=lambda _: None, repr=False)
    _known: dict[bytes, bool] = field(default_factory=dict, init=False, repr=False)

    def headers(self, headers: h.Headers) -> h.Headers:
        """Return the caller's headers that may be sent, followed by the operator's."""
        known = self._known
        kept = [header for header in headers if known.get(header[0]) or self._may_go(header[0])]
        return [*kept, *self.added]

    @property
    def _beside(self) -> str:
        return "beside the central key" if self.keys else "to a provider without a key"

    def _may_go(self, name: bytes) -> bool:
        """Return whether a header may be sent, and remember the answer."""
        if name in self._known:
            return self._known[name]
        may_go = _MAY_GO.fullmatch(name) is not None
        if len(self._known) < _MOST and len(name) <= _LONGEST:
            self._known[name] = may_go
            if not may_go and name not in h.CREDENTIALS:
                self.warn(f"header {quoted(name.decode('latin-1'))} is not sent {self._beside}")
        return may_go


def central_key(keys: ProviderKeys, added: Mapping[str, str | None], warn: Callable[[str], None]) -> CentralKey:
    """Return what goes up beside a central key; `added` are more headers, named with `_` for `-`."""
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in added.items() if value]
    return CentralKey(keys, headers, warn)
