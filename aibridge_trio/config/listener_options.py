"""Where the bridge listens and what it asks of who calls there: the first group of the options."""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aibridge_trio.config.addresses import ADDRESS, BINDS, HOSTS, NETWORKS, ORIGINS, Address, Bind, Network
from aibridge_trio.config.option import option
from aibridge_trio.config.units import BOOLEAN, FILE, MODE

if TYPE_CHECKING:
    from pathlib import Path

LISTENERS = "Listeners"


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Addresses, certificates, and whom the listeners let in."""

    bind: tuple[Bind, ...] = option(
        BINDS,
        "127.0.0.1:4001",
        LISTENERS,
        "Where callers connect, or unix:/PATH for a unix socket; [::] is IPv4 too. Can be given again.",
        repeatable=True,
    )
    bind_mode: int = option(MODE, "0660", LISTENERS, "Permissions of the unix sockets in --bind, octal.")
    admin_bind: Address = option(
        ADDRESS,
        "127.0.0.1:4002",
        LISTENERS,
        "Health, metrics, status and operator actions; off loopback only with --admin-token-file.",
    )
    admin_token_file: Path | None = option(
        FILE, None, LISTENERS, "A file with the token that the admin listener asks for."
    )
    tls_cert: Path | None = option(FILE, None, LISTENERS, "Certificate chain for callers, PEM; with --tls-key.")
    tls_key: Path | None = option(FILE, None, LISTENERS, "Its private key, PEM, without a passphrase.")
    trusted_proxies: tuple[Network, ...] = option(
        NETWORKS, "", LISTENERS, "Networks whose X-Forwarded-For is believed."
    )
    allowed_hosts: tuple[str, ...] = option(
        HOSTS,
        "",
        LISTENERS,
        "Names by which callers may address a loopback listener, besides loopback addresses and localhost.",
    )
    allowed_origins: tuple[str, ...] = option(
        ORIGINS, "", LISTENERS, "Origins of web pages that may use the bridge, besides its own; null is one too."
    )
    allow_anonymous: bool = option(BOOLEAN, "false", LISTENERS, "Permit a central key on a listener off loopback.")

    def exposed(self) -> str:
        """Return the addresses at which other machines can call, with commas between."""
        return ", ".join(str(bind) for bind in self.bind if not bind.is_loopback)

    def addresses(self) -> tuple[Bind, ...]:
        """All addresses that the bridge listens on."""
        return (*self.bind, self.admin_bind)

    def names(self) -> tuple[str, ...]:
        """The hosts in `bind`."""
        return tuple(bind.host for bind in self.bind if isinstance(bind, Address))
