"""Token counts from a provider's answer.

The counts are disjoint, so that they add up: where a provider includes cached tokens in its input (OpenAI), they
are subtracted.

https://docs.anthropic.com/en/api/messages, https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

TYPES = ("input", "output", "cache_read", "cache_write")
# No answer has more tokens; a higher count is ignored.
_MOST = 10**9


class Usage(NamedTuple):
    """The tokens of one answer, by type."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def prompt(self) -> int:
        """The tokens that were sent: those that a cache had, too, because quotas and prices know them all."""
        return self.input + self.cache_read + self.cache_write

    def updated(self, document: Mapping[str, Any]) -> Usage:
        """Return the counts after one event or one unary answer: later reports replace earlier ones.

        Anthropic reports in `message_start` and, cumulatively, in `message_delta`; Chat Completions in the
        last chunk; Responses in `response.completed`; unary answers at the top.
        """
        usage = self
        for holder in (document, document.get("message"), document.get("response")):
            if isinstance(holder, dict) and isinstance(report := holder.get("usage"), dict):
                usage = usage._reported(report)
        return usage

    def _reported(self, report: Mapping[str, Any]) -> Usage:
        incoming = _count(report, "input_tokens", "prompt_tokens")
        details = report.get("input_tokens_details", report.get("prompt_tokens_details"))
        cached = _count(details, "cached_tokens") if isinstance(details, dict) else None
        if incoming is not None and cached is not None:
            incoming = max(0, incoming - cached)
        found = (
            incoming,
            _count(report, "output_tokens", "completion_tokens"),
            _count(report, "cache_read_input_tokens") if cached is None else cached,
            _count(report, "cache_creation_input_tokens"),
        )
        return Usage(*(before if now is None else now for before, now in zip(self, found, strict=True)))


NO_USAGE = Usage()


def _count(report: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        count = report.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST:
            return count
    return None
