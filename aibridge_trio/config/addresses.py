"""Network addresses as values of options: listeners, networks, hosts, origins, base URLs and proxies."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from aibridge_trio.config.units import InvalidValue, Secret, Unit, show_secret
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Address:
    """An address to listen on: a host name or an IP address without brackets, and a port; 0 is any free port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect. Of host names only `localhost` counts."""
        if self.host.lower() == "localhost" or self.host == "::1":
            return True
        try:
            return IPv4Address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class UnixSocket:
    """A unix socket to listen on; `path` is absolute."""

    path: str

    @property
    def is_loopback(self) -> bool:
        """True: only programs on this machine can connect."""
        return True

    def __str__(self) -> str:
        return f"unix:{self.path}"


Bind = Address | UnixSocket


def is_loopback_address(text: str) -> bool:
    """Whether this is a loopback address, also if it is IPv4 mapped into IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return ((isinstance(address, IPv6Address) and address.ipv4_mapped) or address).is_loopback


_LABEL = r"[A-Za-z0-9_-]{1,63}"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LONGEST_NAME = 253
_BRACKETED = r"\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?\]"
_PORT = r"[0-9]{1,5}"
_HIGHEST_PORT = 0xFFFF


def _host(text: str) -> str:
    """Return a host name, or an IP address without brackets; a name that ends in a number must be IPv4."""
    if len(text) > _LONGEST_NAME:
        raise InvalidValue("the host's name is too long")
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        return str(IPv4Address(text)) if text.rpartition(".")[2].isdigit() else text
    except ValueError:
        raise InvalidValue(f"{quoted(text)} is not an IP address") from None


def _port(text: str) -> int:
    if (port := int(text)) > _HIGHEST_PORT:
        raise InvalidValue(f"port {port} is above {_HIGHEST_PORT}")
    return port


def _address(text: str) -> Address:
    match = re.fullmatch(rf"({_NAME}|{_BRACKETED}):({_PORT})", text)
    if not match:
        raise InvalidValue(f"{quoted(text)} is not HOST:PORT")
    return Address(_host(match[1]), _port(match[2]))


# The longest path of a unix socket (bytes): sun_path without its NUL, where it is shortest (macOS, BSD).
LONGEST_PATH = 103


def _bind(text: str) -> Bind:
    if not text.startswith("unix:"):
        return _address(text)
    path = text.removeprefix("unix:")
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise InvalidValue(f"{quoted(text)} is not unix: and the absolute path of a socket")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise InvalidValue(f"the socket's path is longer than {LONGEST_PATH} bytes")
    return UnixSocket(path)


def _binds(text: str) -> tuple[Bind, ...]:
    binds = tuple(_bind(item.strip()) for item in text.split(","))
    fixed = [bind for bind in binds if isinstance(bind, UnixSocket) or bind.port]
    if len(set(fixed)) < len(fixed):
        raise InvalidValue("an address is given twice")
    return binds


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        fit = ip_network(text, strict=False)
    except ValueError:
        raise InvalidValue(f"{quoted(text)} is not a network") from None
    raise InvalidValue(f"{quoted(text)} has host bits set", str(fit))


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(item.strip()) for item in text.split(",")) if text else ()


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(item.strip() for item in text.split(",")) if text else ()
    for host in hosts:
        if not re.fullmatch(rf"{_NAME}|{_BRACKETED}", host):
            raise InvalidValue(f"{quoted(host)} is not the name of a host, without a port")
    return tuple(_host(host.lower()).removesuffix(".") for host in hosts)


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_origin(item.strip()) for item in text.split(",")) if text else ()


def _origin(text: str) -> str:
    """Return an origin as browsers write it: lower-case, without the scheme's default port, or `null`."""
    origin = text.lower()
    if origin == "*":
        raise InvalidValue("* would allow every web page", "https://app.example")
    if origin == "null" or re.fullmatch(r"file://", origin):
        return origin
    if re.fullmatch(r"[a-z][a-z0-9+.-]{0,30}://[^/\\?#@\s]+/", origin):
        raise InvalidValue(f"{quoted(text)} has a path", origin[:-1])
    if not re.fullmatch(r"[a-z][a-z0-9+.-]{0,30}://[!-~]{1,255}", origin) or set("/\\?#@") & set(
        origin.partition("://")[2]
    ):
        raise InvalidValue(f"{quoted(text)} is not an origin: a scheme, :// and a host", "https://app.example")
    scheme, _, authority = origin.partition("://")
    return f"{scheme}://{authority.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ':'))}"


def host_and_port(text: str) -> str:
    """Return a valid HOST or HOST:PORT, the host in lower case."""
    match = re.fullmatch(rf"({_NAME}|{_BRACKETED})(?::({_PORT}))?", text)
    if not match:
        raise InvalidValue("the URL names no valid host")
    host = _host(match[1].lower())
    bracketed = f"[{host}]" if ":" in host else host
    return f"{bracketed}:{_port(match[2])}" if match[2] else bracketed


def _base_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if "@" in text:
        raise InvalidValue("the URL holds a user or a password")
    if set(text) & set("?#"):
        raise InvalidValue("the URL holds a query or a fragment")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise InvalidValue(f"{quoted(text)} is not a URL with http:// or https://")
    if not re.fullmatch(r"[!-~]*", rest) or "\\" in rest:
        raise InvalidValue(f"{quoted(text)} has characters other than printable ASCII")
    authority, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host_and_port(authority)}{slash}{path}".rstrip("/")


# Admin listeners at most, in one option or behind a name: each costs a connection.
MOST_URLS = 256


def _base_urls(text: str) -> tuple[str, ...]:
    urls = tuple(_base_url(item.strip()) for item in text.split(","))
    if len(set(urls)) < len(urls):
        raise InvalidValue("a URL is given twice")
    if len(urls) > MOST_URLS:
        raise InvalidValue(f"{len(urls)} URLs are more than {MOST_URLS}")
    return urls


def _proxy(text: str) -> Secret:
    # No error quotes the text: any malformed part may belong to the password.
    match = re.fullmatch(r"(?:(?i:(https?))://)?([!-~]*@)?([^@/?#]+)/?", text)
    if not match:
        raise InvalidValue("this is not a proxy's URL with http:// or https:// and a host")
    # curl and others take HOST:PORT for http://HOST:PORT.
    scheme, userinfo = (match[1] or "http").lower(), match[2] or ""
    if set(userinfo) & set("/?#\\"):
        raise InvalidValue("the user or the password holds one of / ? # \\ that is not percent-encoded")
    try:
        authority = host_and_port(match[3])
    except InvalidValue:
        raise InvalidValue("the URL names no valid host and port") from None
    return Secret(f"{scheme}://{userinfo}{authority}", f"{scheme}://{'***@' if userinfo else ''}{authority}")


def bypasses(no_proxy: str, authority: str, port: int) -> bool:
    """Whether NO_PROXY names this host (HOST or HOST:PORT; `port` if it has none).

    As in curl (its manual, NO_PROXY): entries are separated by commas or spaces; `*` matches every host; a name,
    with or without a leading dot or `*.`, matches itself and its subdomains; an address or a network (CIDR)
    matches the addresses in it. As in Go, an entry may name a port. An invalid entry matches nothing.
    """
    host, own_port = _split(authority)
    port = own_port or port
    return any(_names(entry, host, port) for entry in no_proxy.replace(",", " ").split())


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    named, _, prefix = entry.partition("/")
    name, only = _split(named)
    if only not in {None, port}:
        return False
    try:
        address = ip_address(host)
    except ValueError:
        name = name.removeprefix("*.").lstrip(".")
        return not prefix and bool(name) and f".{host}".endswith(f".{name}")
    try:
        return address in ip_network(f"{name}/{prefix}" if prefix else name, strict=False)
    except ValueError:
        return False


def _split(authority: str) -> tuple[str, int | None]:
    """Split HOST, [HOST], HOST:PORT or an IPv6 address into the host (lower case, no brackets) and the port."""
    match = re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", authority)
    host, port = (match[1], int(match[2])) if match else (authority, None)
    return host.strip("[]").lower().rstrip("."), port


def _show_list(items: Iterable[object]) -> str:
    return ",".join(map(str, items))


ADDRESS = Unit(_address, "HOST:PORT", "127.0.0.1:4001")
BINDS = Unit(_binds, "HOST:PORT,...", "127.0.0.1:4001", _show_list, toml=list)
NETWORKS = Unit(_networks, "CIDR,...", "10.0.0.0/8", _show_list, toml=list)
HOSTS = Unit(_hosts, "HOST,...", "bridge.example", ",".join, toml=list)
ORIGINS = Unit(_origins, "ORIGIN,...", "https://app.example", ",".join, toml=list)
BASE_URL = Unit(_base_url, "URL", "https://api.example.com/v1")
BASE_URLS = Unit(_base_urls, "URL,...", "http://10.0.0.7:4002", ",".join, toml=list)
PROXY = Unit(_proxy, "URL", "http://proxy.example:3128", show_secret)
