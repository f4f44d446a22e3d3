"""Limits that contradict each other, or what clients do; what `aibridge check` warns of is not repeated. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from aibridge_trio.config.settings import Settings
from aibridge_trio.config.units import show_duration
from aibridge_trio.doctor.finding import Finding

# The timeout of OpenAI's and Anthropic's SDKs by default (seconds):
# https://github.com/openai/openai-python#timeouts, https://github.com/anthropics/anthropic-sdk-python#timeouts
_CLIENTS_WAIT = 600.0


def examine(settings: Settings) -> list[Finding]:
    """Return a finding for each contradiction, or one that there is none."""
    found = [*_contradictions(settings)]
    return found or [Finding("ok", "limits", "", "none contradicts another one")]


def _contradictions(settings: Settings) -> Iterator[Finding]:
    most, of_caller = settings.max_concurrency, settings.max_concurrency_per_caller
    if 0 < most == of_caller:
        yield _warning("--max-concurrency-per-caller", "one caller may take every slot", "lower it")
    if settings.queue_size:
        yield from _of_queue(settings)
    if settings.graceful_timeout < settings.max_duration < math.inf:
        limit = show_duration(settings.graceful_timeout)
        yield _warning(
            "--max-duration",
            f"a stop ends requests after {limit} that this permits to last longer",
            "raise --graceful-timeout, or lower it",
        )
    if settings.max_body > settings.max_buffered // 2:
        yield _warning(
            "--max-body",
            "a body of this size does not fit into one caller's half of --max-buffered",
            "lower it, or raise --max-buffered",
        )


def _of_queue(settings: Settings) -> Iterator[Finding]:
    wait = settings.queue_timeout
    if wait >= _CLIENTS_WAIT:
        limit = show_duration(_CLIENTS_WAIT)
        yield _warning("--queue-timeout", f"SDKs give up after {limit}, before the queue does", "lower it")
    elif wait >= settings.graceful_timeout:
        limit = show_duration(settings.graceful_timeout)
        yield _warning(
            "--queue-timeout",
            f"a stop ends waits after {limit}, before the queue does",
            "raise --graceful-timeout, or lower it",
        )


def _warning(option: str, text: str, remedy: str) -> Finding:
    return Finding("warning", "limits", option, text, remedy)
