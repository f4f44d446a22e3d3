"""Options that a running bridge cannot change: a reload says so, and applies the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aibridge_trio.config.settings import Settings

# Each with the reason, which ends the sentence "it stays as it was, because …".
FIXED: Mapping[str, str] = {
    "bind": "the listeners stay open",
    "bind_mode": "the sockets' files are there already",
    "admin_bind": "the listener stays open",
    "store": "the bridge is in contact with the former one",
    "store_prefix": "limits are counted under the former one",
    "store_failure": "the bridge is in contact with the store",
    "store_timeout": "the bridge is in contact with the store",
    "log_file": "it is open; SIGHUP opens it again, for what rotates logs",
    "state_file": "the bridge has locked the former one",
    "otel_endpoint": "spans are on their way to the former one",
    "otel_service_name": "spans have been sent under the former one",
    "otel_headers": "spans are sent with the former ones",
    "workers": "the supervisor has started that many",
}


def kept(before: Settings, after: Settings) -> Settings:
    """Return the settings of `after` with what cannot change as it was `before`."""
    return replace(after, **{name: getattr(before, name) for name in FIXED})
