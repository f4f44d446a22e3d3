"""How a log line is written: as JSON, or as logfmt for people. Pure.

A request's line is one template, because there is one for every request: its strings come from few, and are quoted
once each. A line has printable characters only, whatever a caller sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from types import NoneType
from typing import Any

from aibridge_trio.config.settings import LogLevel
from aibridge_trio.core.inspection.usage import NO_USAGE
from aibridge_trio.events import Finished

# Strings of requests' lines that are kept quoted: names of providers, routes, reasons, agents and callers.
_KEPT = 1024

# Encoders of the values that are not strings. json.dumps() would make an encoder for every line.
_ENCODERS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: repr,
    float: repr,
}
# syslog(3)
_PRIORITIES: dict[LogLevel, str] = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}
# A value with one of these characters is quoted.
_AMBIGUOUS = re.compile(r'[ ="\\]')


def json_line(now: float, level: LogLevel, event: str, fields: dict[str, Any]) -> str:
    """Return a line of these fields as JSON."""
    pairs = [f', "{key}": {_ENCODERS.get(type(value), _quoted)(value)}' for key, value in fields.items()]
    return f'{{"time": "{_timestamp(now)}", "level": "{level}", "event": "{event}"{"".join(pairs)}}}\n'


def human_line(now: float, level: LogLevel, event: str, fields: dict[str, Any]) -> str:
    """Return a line of these fields as logfmt, without those that say nothing."""
    time = datetime.fromtimestamp(now, UTC).astimezone().strftime("%H:%M:%S")
    pairs = " ".join(f"{key}={_logfmt(value)}" for key, value in fields.items() if not _is_omitted(value))
    return f"{time} {level:<7} {event:<8} {pairs}\n"


def json_request(now: float, event: Finished) -> str:
    """Return a request's line as JSON."""
    micros = round(now * 1_000_000)
    caller, duration, first_byte = event.caller, event.duration, event.first_byte
    usage = event.usage
    reported = usage != NO_USAGE
    verdict = "null" if event.verdict is None else f'"{event.verdict}"'
    line = (
        f'{{"time": "{_second(micros // 1_000_000)}.{micros // 1_000 % 1_000:03d}Z", '
        '"level": "info", "event": "request", '
        f'"request_id": {encode_basestring(event.request_id)}, '  # visible ASCII: see headers.sane_request_id()
        f'"provider": {_kept(event.provider)}, '
        f'"route": {_kept(event.route)}, '
        f'"method": {_kept(event.method)}, '
        f'"status": {event.status}, '
        f'"reject": {"null" if event.reject is None else _kept(event.reject)}, '
        f'"would_reject": {_quoted(",".join(event.would_reject)) if event.would_reject else "null"}, '
        f'"cause": {"null" if event.cause is None else _quoted(event.cause)}, '
        f'"verdict": {verdict}, '
        f'"broken": {"true" if event.broken else "false"}, '
        f'"left": {"true" if event.left else "false"}, '
        f'"duration_s": {"null" if duration is None else _seconds(duration)}, '
        f'"first_byte_s": {"null" if first_byte is None else _seconds(first_byte)}, '
        f'"queue_s": {_seconds(event.queued) if event.queued else 0.0}, '
        f'"held_s": {_seconds(event.held) if event.held else 0.0}, '
        f'"sent_again": {event.sent_again}, '
        f'"total_s": {_seconds(event.total)}, '
        f'"bytes_in": {event.bytes_in}, '
        f'"bytes_out": {event.bytes_out}, '
        f'"caller": {_kept(caller.hint) if caller else "null"}, '
        f'"class": {_kept(caller.class_name) if caller and caller.class_name else "null"}, '
        f'"user_agent": {_kept(event.user_agent)}, '
        f'"model": {"null" if event.model is None else _kept(event.model)}, '
        f'"tokens_in": {usage[0] + usage[2] + usage[3] if reported else "null"}, '  # see Usage.prompt
        f'"tokens_out": {usage.output if reported else "null"}, '
        f'"attempts": {event.attempts}, '
        f'"error_code": {"null" if event.error_code is None else _kept(event.error_code)}'
    )
    if event.passed_over:
        line += f', "passed_over": {_quoted(",".join(event.passed_over))}'
    if event.path is not None:
        line += f', "path": {_quoted(event.path)}'
    return line + "}\n"


def human_request(now: float, event: Finished) -> str:
    """Return a request's line as logfmt, with what stands in its JSON."""
    fields = json.loads(json_request(now, event))
    return human_line(now, fields.pop("level"), fields.pop("event"), {**fields, "time": None})


def with_priority(line: Callable[[float, LogLevel, str, dict[str, Any]], str]) -> Callable[..., str]:
    """Return the format with a prefix that gives each line its priority in the journal (sd-daemon(3))."""
    return lambda now, level, event, fields: _PRIORITIES[level] + line(now, level, event, fields)


def request_with_priority(line: Callable[[float, Finished], str]) -> Callable[[float, Finished], str]:
    """The same for requests' lines."""
    prefix = _PRIORITIES["info"]
    return lambda now, event: prefix + line(now, event)


def _timestamp(now: float) -> str:
    micros = round(now * 1_000_000)
    return f"{_second(micros // 1_000_000)}.{micros // 1_000 % 1_000:03d}Z"


def _seconds(duration: float) -> str:
    """Return `repr(round(duration, 4))`, in half the time."""
    text = f"{duration:.4f}".rstrip("0")
    return f"{text}0" if text[-1] == "." else text


@lru_cache(2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")


def _quoted(text: str) -> str:
    """Return a text as a JSON string of printable characters."""
    quoted = encode_basestring(text)
    if quoted.isprintable():
        return quoted
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in quoted)


_kept = lru_cache(_KEPT)(_quoted)


def _is_omitted(value: Any) -> bool:
    return value is None or value is False or value == ""


def _logfmt(value: Any) -> str:
    """Return a value as logfmt; in quotes, with Python's escapes, if it is ambiguous or not printable."""
    text = _ENCODERS[type(value)](value) if type(value) in _ENCODERS else str(value)
    if text.isprintable() and not _AMBIGUOUS.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if escaped.isprintable():
        return f'"{escaped}"'
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped) + '"'
