"""Where things are on the network: listeners, networks, upstreams, proxies, and how each is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TYPE_CHECKING

from aibridge_trio.units import Secret, Unfit, Unit, quoted, show_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Address:
    """Where to listen: a name or an IP address without brackets, and a port; 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect; of names, only `localhost` is believed."""
        if self.host.lower() == "localhost" or self.host == "::1":
            return True
        try:
            return IPv4Address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LABEL = r"[A-Za-z0-9_-]{1,63}"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LONGEST_NAME = 253
_BRACKETED = r"\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?\]"
_PORT = r"[0-9]{1,5}"
_HIGHEST_PORT = 0xFFFF


def _host(text: str) -> str:
    """A name, or an IP address without brackets; a name that ends in a number must be an IPv4 address."""
    if len(text) > _LONGEST_NAME:
        raise Unfit("the host's name is too long")
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        return str(IPv4Address(text)) if text.rpartition(".")[2].isdigit() else text
    except ValueError:
        raise Unfit(f"{quoted(text)} is not an IP address") from None


def _port(text: str) -> int:
    if (port := int(text)) > _HIGHEST_PORT:
        raise Unfit(f"port {port} is above {_HIGHEST_PORT}")
    return port


def _address(text: str) -> Address:
    match = re.fullmatch(rf"({_NAME}|{_BRACKETED}):({_PORT})", text)
    if not match:
        raise Unfit(f"{quoted(text)} is not HOST:PORT")
    return Address(_host(match[1]), _port(match[2]))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        fit = ip_network(text, strict=False)
    except ValueError:
        raise Unfit(f"{quoted(text)} is not a network") from None
    raise Unfit(f"{quoted(text)} has host bits set", str(fit))


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(item.strip()) for item in text.split(",")) if text else ()


def _authority(text: str) -> str:
    """HOST or HOST:PORT, checked, the host in lower case."""
    match = re.fullmatch(rf"({_NAME}|{_BRACKETED})(?::({_PORT}))?", text)
    if not match:
        raise Unfit("the URL names no valid host")
    host = _host(match[1].lower())
    bracketed = f"[{host}]" if ":" in host else host
    return f"{bracketed}:{_port(match[2])}" if match[2] else bracketed


def _base_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if "@" in text:
        raise Unfit("the URL holds a user or a password")
    if set(text) & set("?#"):
        raise Unfit("the URL holds a query or a fragment")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise Unfit(f"{quoted(text)} is not a URL with http:// or https://")
    if not re.fullmatch(r"[!-~]*", rest) or "\\" in rest:
        raise Unfit(f"{quoted(text)} holds something else than printable ASCII")
    authority, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{_authority(authority)}{slash}{path}".rstrip("/")


def _proxy(text: str) -> Secret:
    # Nothing of it is quoted: whatever is malformed may be a part of the password.
    match = re.fullmatch(r"(?i:(https?)://)([!-~]*@)?([^@/?#]+)/?", text)
    if not match:
        raise Unfit("this is not a proxy's URL with http:// or https:// and a host")
    scheme, userinfo = match[1].lower(), match[2] or ""
    if set(userinfo) & set("/?#\\"):
        raise Unfit("the user or the password holds one of / ? # \\ that is not percent-encoded")
    try:
        authority = _authority(match[3])
    except Unfit:
        raise Unfit("the URL names no valid host and port") from None
    return Secret(f"{scheme}://{userinfo}{authority}", f"{scheme}://{'***@' if userinfo else ''}{authority}")


def _show_networks(networks: Iterable[Network]) -> str:
    return ",".join(map(str, networks))


ADDRESS = Unit(_address, "HOST:PORT", "127.0.0.1:4001")
NETWORKS = Unit(_networks, "CIDR,...", "10.0.0.0/8", _show_networks, toml=list)
BASE_URL = Unit(_base_url, "URL", "https://api.example.com/v1")
PROXY = Unit(_proxy, "URL", "http://proxy.example:3128", show_secret)
