"""The names in the certificate that a TLS peer has sent, and that has been verified."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

# Names of a certificate that are read, and characters of each: an authority may sign any number.
_MOST, _LONGEST = 64, 253


def peer_names(connection: ssl.SSLObject) -> tuple[str, ...]:
    """Return the common names, then the alternative names (DNS, email, URI, IP); none without a verified one."""
    # The ssl module returns no fields of a certificate that was not verified.
    fields: Mapping[str, Any] | None = connection.getpeercert()
    if not fields:
        return ()
    subject = (pair for group in fields.get("subject", ()) for pair in group)
    common = [value for kind, value in subject if kind == "commonName"]
    alternative = [value for _, value in fields.get("subjectAltName", ()) if isinstance(value, str)]
    names = dict.fromkeys(name for name in (*common, *alternative) if len(name) <= _LONGEST)
    return tuple(names)[:_MOST]
