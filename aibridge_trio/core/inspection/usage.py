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
        if "usage" in document:
            usage = _replaced(usage, document["usage"])
        for name in _HOLDERS:
            if name in document and type(holder := document[name]) is dict and "usage" in holder:
                usage = _replaced(usage, holder["usage"])
        return usage


NO_USAGE = Usage()


# What else of a document may have a report; and what of a report has its cached tokens: the first that is there.
_HOLDERS = ("message", "response")
_DETAILS = ("input_tokens_details", "prompt_tokens_details")
_READ, _WRITTEN = "cache_read_input_tokens", "cache_creation_input_tokens"


def _replaced(before: Usage, report: object) -> Usage:
    """Return the counts of a report, and those of before where it has none."""
    if type(report) is not dict:
        return before
    incoming = _count(report, "input_tokens", "prompt_tokens")
    cached = None
    for name in _DETAILS:
        if name in report:
            if type(details := report[name]) is dict:
                cached = _count(details, "cached_tokens")
            break
    if cached is None:
        cached = _count(report, _READ) if _READ in report else None
    elif incoming is not None:
        incoming = incoming - cached if incoming > cached else 0
    output = _count(report, "output_tokens", "completion_tokens")
    stored = _count(report, _WRITTEN) if _WRITTEN in report else None
    return Usage(
        before.input if incoming is None else incoming,
        before.output if output is None else output,
        before.cache_read if cached is None else cached,
        before.cache_write if stored is None else stored,
    )


def _count(report: dict[str, Any], *names: str) -> int | None:
    """Return the count under the first of these names that has one. JSON's numbers are `int`, its truth is not."""
    for name in names:
        if name in report and type(count := report[name]) is int and 0 <= count <= _MOST:
            return count
    return None
