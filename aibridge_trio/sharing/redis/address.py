"""Where a Redis or Valkey is, and how to log in."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["server", "socket", "sentinel", "cluster"]


class Host(NamedTuple):
    """A host's name or address, without brackets, and a port."""

    name: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether this is this machine. Of names only `localhost` counts."""
        try:
            return ip_address(self.name).is_loopback
        except ValueError:
            return self.name.lower() == "localhost"

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """One server, its unix socket, the sentinels that know it, or servers of its cluster.

    hosts      The server; sentinels, or servers of the cluster, to try in turn.
    path       Of the unix socket.
    service    The server's name among the sentinels.
    user       "" is the server's default user.
    sentinel_password  "" if sentinels want none.
    ca         Authorities (PEM) to trust besides the usual ones.
    """

    kind: Kind
    hosts: tuple[Host, ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sentinel_password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None

    @property
    def in_clear(self) -> str:
        """The hosts that are reached over the network without TLS, separated by commas."""
        return "" if self.tls else ", ".join(str(host) for host in self.hosts if not host.is_loopback)

    def __str__(self) -> str:
        if self.kind == "socket":
            return f"the unix socket {self.path}"
        hosts = ", ".join(map(str, self.hosts))
        return {"sentinel": f"{self.service} of sentinels {hosts}", "cluster": f"cluster {hosts}"}.get(
            self.kind, hosts
        )
