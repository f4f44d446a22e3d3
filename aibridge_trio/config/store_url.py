"""The URL of the store that replicas share, as the value of an option.

    redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]                  also rediss:// (TLS)
    unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
    redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],…/SERVICE[/DATABASE][?sentinel_password=…]
    redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],…

`valkey` stands for `redis` everywhere. With TLS, `?ca=/PATH` names authorities to trust. What a password or a path
has of `/ ? # @ : %` is percent-encoded.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aibridge_trio.config.addresses import LONGEST_PATH, host_and_port
from aibridge_trio.config.unit import InvalidValue, Secret, Unit
from aibridge_trio.config.units import show_secret
from aibridge_trio.printable import quoted
from aibridge_trio.sharing.redis.address import Host, RedisAddress

if TYPE_CHECKING:
    from aibridge_trio.sharing.redis.address import Kind

_PORT, _SENTINEL_PORT = 6379, 26379
_MOST_HOSTS = 32
_HIGHEST_DATABASE = 16383  # `databases` of a server is rarely above 16
_SCHEME = re.compile(r"(?:(?:redis|valkey)(s?)(?:\+(sentinel|cluster))?|unix)", re.IGNORECASE)
_SCHEMES = "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
_MASK = "***"


def store_address(url: Secret) -> RedisAddress:
    """Return where the store is; `url` is a value of STORE."""
    return _parse(url.reveal())[0]


def _store(text: str) -> Secret:
    _, shown = _parse(text)
    return Secret(text, shown)


def _parse(text: str) -> tuple[RedisAddress, str]:
    """Return the address, and the URL with its passwords masked.

    No error quotes more than the scheme: any malformed part may belong to a password.
    """
    scheme, separator, rest = text.partition("://")
    match = _SCHEME.fullmatch(scheme)
    if not separator or not match:
        raise InvalidValue(f"this is not a URL with {_SCHEMES}")
    if not re.fullmatch(r"[!-~]*", rest):
        raise InvalidValue("the URL has characters other than printable ASCII")
    rest, _, query = rest.partition("?")
    if "#" in rest + query:
        raise InvalidValue("the URL holds a fragment; write %23 for # in a password")
    userinfo, at, place = rest.rpartition("@")
    if set(userinfo) & set("/@") or userinfo.count(":") > 1:
        raise InvalidValue("the user or the password holds one of / ? # @ : that is not percent-encoded")
    user, colon, password = userinfo.partition(":")
    if at and not (colon and password):
        raise InvalidValue("the user has no password; write :PASSWORD@ or USER:PASSWORD@")
    kind: Kind = "socket" if scheme.lower() == "unix" else (match[2] or "server").lower()  # type: ignore[assignment]
    address = RedisAddress(kind=kind, tls=bool(match[1]), user=_decoded(user), password=_decoded(password))
    address = _queried(_socket(address, place) if kind == "socket" else _placed(address, place), query)
    query = re.sub(r"(?<=sentinel_password=)[^&]*", _MASK, query)
    shown = f"{_MASK}@" if at else ""
    return address, f"{scheme.lower()}://{shown}{place}{'?' * bool(query)}{query}"


def _socket(address: RedisAddress, place: str) -> RedisAddress:
    path = _decoded(place)
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise InvalidValue("the URL names no absolute path of a socket", "unix:///run/redis/redis.sock")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise InvalidValue(f"the socket's path is longer than {LONGEST_PATH} bytes")
    return replace(address, path=path)


def _placed(address: RedisAddress, place: str) -> RedisAddress:
    """Read hosts, service and database."""
    hosts, _, path = place.partition("/")
    parts = path.rstrip("/").split("/") if path.rstrip("/") else []
    default = _SENTINEL_PORT if address.kind == "sentinel" else _PORT
    address = replace(address, hosts=_hosts(hosts, default))
    if address.kind == "server" and len(address.hosts) > 1:
        raise InvalidValue("several hosts are sentinels or a cluster; write redis+sentinel:// or redis+cluster://")
    if address.kind == "sentinel":
        if not parts or not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", parts[0]):
            raise InvalidValue("the URL does not name the sentinels' service, as in HOST:26379/SERVICE")
        address = replace(address, service=parts.pop(0))
    if address.kind == "cluster" and parts not in ([], ["0"]):
        raise InvalidValue("a cluster has database 0 only")
    if len(parts) > 1:
        raise InvalidValue("the URL has a longer path than /DATABASE")
    return replace(address, database=_database(parts[0])) if parts else address


def _hosts(text: str, default: int) -> tuple[Host, ...]:
    found: list[Host] = []
    for item in text.split(","):
        try:
            name, port = re.fullmatch(r"(.*?)(?::([0-9]+))?", host_and_port(item)).groups()  # type: ignore[union-attr]
        except InvalidValue:
            raise InvalidValue("the URL names no valid host and port") from None
        found.append(Host(name.strip("[]"), int(port or default)))
        if not found[-1].port:
            raise InvalidValue("the URL has port 0")
    if len(set(found)) < len(found):
        raise InvalidValue("the URL names a host twice")
    if len(found) > _MOST_HOSTS:
        raise InvalidValue(f"the URL names more than {_MOST_HOSTS} hosts")
    return tuple(found)


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _HIGHEST_DATABASE:
        raise InvalidValue(f"the database is not a number up to {_HIGHEST_DATABASE}")
    return int(text)


def _queried(address: RedisAddress, query: str) -> RedisAddress:
    """Read what stands behind the question mark."""
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name == "db" and address.kind == "socket":
            address = replace(address, database=_database(value))
        elif name == "ca" and address.tls:
            if not _decoded(value).startswith("/"):
                raise InvalidValue("ca is not the absolute path of a file")
            address = replace(address, ca=Path(_decoded(value)))
        elif name == "sentinel_password" and address.kind == "sentinel" and value:
            address = replace(address, sentinel_password=_decoded(value))
        else:
            known = "db for a unix socket, ca with TLS, sentinel_password for sentinels"
            raise InvalidValue(f"the URL has a parameter that is none of: {known}")
    return address


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise InvalidValue("the URL holds a % that is not percent-encoded; write %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidValue("the URL is percent-encoded, but not in UTF-8") from None
    if "\0" in decoded:
        raise InvalidValue("the URL holds a NUL")
    return decoded


PREFIX_PATTERN = "[A-Za-z0-9._:-]{1,64}"


def _prefix(text: str) -> str:
    if not re.fullmatch(PREFIX_PATTERN, text):
        raise InvalidValue(f"{quoted(text)} is not 1 to 64 of A-Z a-z 0-9 . _ : -")
    return text


STORE = Unit(_store, "URL", "redis://redis.example:6379", show_secret)
PREFIX = Unit(_prefix, "NAME", "aibridge-staging")
