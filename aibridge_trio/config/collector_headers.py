"""Headers for a collector of traces, as the value of an option: `NAME=VALUE,…`, percent-encoded where needed.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from aibridge_trio.config.unit import InvalidValue, Secret, Unit
from aibridge_trio.config.units import show_secret

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
# A header's value, once decoded: visible ASCII, with spaces within.
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
# What frames a request is the bridge's to say.
_FRAMING = frozenset(
    {"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection"}
)


def collector_headers(value: Secret) -> tuple[tuple[str, str], ...]:
    """Return the headers that a value of COLLECTOR_HEADERS names, names in lower case."""
    return _parse(value.reveal())


def _parse(text: str) -> tuple[tuple[str, str], ...]:
    # No error quotes the text: any malformed part may belong to a credential.
    found = []
    for item in text.split(","):
        name, separator, value = (part.strip() for part in item.partition("="))
        name, value = name.lower(), unquote(value)
        if not separator or not _NAME.fullmatch(name):
            raise InvalidValue(
                "this is not NAME=VALUE,... with names of headers; write %2C for a comma in a value"
            )
        if not _VALUE.fullmatch(value):
            raise InvalidValue("a header has no value, or one with other characters than printable ASCII")
        if name in _FRAMING:
            raise InvalidValue(f"the header {name} is set by the bridge")
        found.append((name, value))
    return tuple(found)


def _headers(text: str) -> Secret:
    text = text.strip()
    _parse(text)
    return Secret(text)


COLLECTOR_HEADERS = Unit(_headers, "NAME=VALUE,...", "authorization=Bearer%20...", show_secret)
