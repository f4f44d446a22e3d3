"""The options of the listeners: addresses, certificates, and which requests they accept."""

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
    """The values of the listeners' options; `Settings` inherits them."""

    bind: tuple[Bind, ...] = option(
        BINDS,
        "127.0.0.1:4001",
        LISTENERS,
        "Address for callers, or unix:/PATH for a unix socket; [::] includes IPv4. Can be given again.",
        repeatable=True,
    )
    bind_mode: int = option(MODE, "0660", LISTENERS, "Permissions of the unix sockets in --bind, in octal.")
    admin_bind: Address = option(
        ADDRESS,
        "127.0.0.1:4002",
        LISTENERS,
        "Address of the admin listener (health, metrics, status); off loopback it needs --admin-token-file.",
    )
    admin_token_file: Path | None = option(
        FILE, None, LISTENERS, "File with the token that the admin listener requires."
    )
    tls_cert: Path | None = option(
        FILE, None, LISTENERS, "Certificate chain of the callers' listener, PEM; needs --tls-key."
    )
    tls_key: Path | None = option(FILE, None, LISTENERS, "Private key of --tls-cert, PEM, without a passphrase.")
    tls_client_ca: Path | None = option(
        FILE,
        None,
        LISTENERS,
        "Authorities (PEM) of client certificates, which name callers beside tokens; needs --tls-cert.",
    )
    trusted_proxies: tuple[Network, ...] = option(
        NETWORKS, "", LISTENERS, "Networks of proxies whose X-Forwarded-For header is trusted."
    )
    allowed_hosts: tuple[str, ...] = option(
        HOSTS,
        "",
        LISTENERS,
        "Host names accepted on a loopback listener, besides loopback addresses and localhost.",
    )
    allowed_origins: tuple[str, ...] = option(
        ORIGINS,
        "",
        LISTENERS,
        "Origins of web pages that may use the bridge, besides its own; null is one of them.",
    )
    callers_file: Path | None = option(
        FILE, None, LISTENERS, "File with the callers that are known and their classes (TOML); others get 401."
    )
    allow_anonymous: bool = option(
        BOOLEAN,
        "false",
        LISTENERS,
        "Serve callers without a token beside known ones, and permit a central key on a listener off loopback.",
    )

    def exposed(self) -> str:
        """Return the addresses that other machines can connect to, separated by commas."""
        return ", ".join(str(bind) for bind in self.bind if not bind.is_loopback)

    def addresses(self) -> tuple[Bind, ...]:
        """Return all addresses that the bridge listens on."""
        return (*self.bind, self.admin_bind)

    def names(self) -> tuple[str, ...]:
        """Return the hosts in `bind`."""
        return tuple(bind.host for bind in self.bind if isinstance(bind, Address))
