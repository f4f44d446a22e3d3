"""Redis and Valkey as operators have them: started on free ports in a folder of their own, killed, paused.

`running()` is one server, `sentinels()` a set with a sentinel that fails over, `cluster()` a small cluster. Each
is a context manager that leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from tests.support.resp import RespClient, RespError
from tests.support.shells import needed

PROGRAMS = ("redis-server", "valkey-server")
# A server that is started again, or takes over, has so long on a loaded machine.
PATIENCE = 30.0
_LOOK = 0.02
_SLOTS = 16_384


def program_of(name: str) -> str:
    """Return the path of a server. CI has `redis-server`; `valkey-server` where the distribution offers it."""
    if name == "redis-server":
        return needed(name)
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


class RedisServer:
    """A server process; `start` and `kill` as often as wanted, always on the same port."""

    def __init__(
        self,
        folder: Path,
        program: str = "redis-server",
        *,
        password: str = "",
        tls: trustme.CA | None = None,
        unix_socket: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.folder, self.password, self.tls = folder, password, tls
        self.socket_path = folder / "socket" if unix_socket else None
        self.port = _free_port()
        self._command = [program_of(program), *self._options(), *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, with the password."""
        secret = f":{self.password}@" if self.password else ""
        if self.socket_path is not None:
            return f"unix://{secret}{self.socket_path}"
        return f"{'rediss' if self.tls else 'redis'}://{secret}localhost:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log)
        wait_until(self.answers, f"{self.url} answers", self._log)

    def answers(self) -> bool:
        """Whether it answers now."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the server ended: {self._log()}")
        try:
            with self.client(timeout=1.0) as client:
                return client.call("PING") == "PONG"
        except RespError as error:
            return not str(error).startswith("LOADING")
        except OSError:
            return False

    def client(self, timeout: float = 10.0) -> RespClient:
        """Return a connection."""
        path = self.socket_path
        return RespClient(path or ("127.0.0.1", self.port), password=self.password, ca=self.tls, timeout=timeout)

    def call(self, *words: str | bytes | float) -> object:
        """Execute one command."""
        with self.client() as client:
            return client.call(*words)

    def kill(self) -> None:
        """End it at once, even if it is paused: what it kept is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it, and start it on the same port, empty."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop its process; its connections stay."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _options(self) -> Iterator[str]:
        yield from ("--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--appendonly", "no")
        yield from ("--repl-diskless-sync-delay", "0")
        yield from ("--port", "0" if self.tls else str(self.port), "--protected-mode", "no")
        if self.password:
            yield from ("--requirepass", self.password, "--masterauth", self.password)
        if self.socket_path is not None:
            yield from ("--unixsocket", str(self.socket_path))
        if self.tls is not None:
            certificate = self.tls.issue_cert("localhost", "127.0.0.1")
            certificate.cert_chain_pems[0].write_to_path(str(self.folder / "cert.pem"))
            certificate.private_key_pem.write_to_path(str(self.folder / "key.pem"))
            self.tls.cert_pem.write_to_path(str(self.folder / "ca.pem"))
            yield from ("--tls-port", str(self.port), "--tls-auth-clients", "no")
            for option, file in (("cert", "cert"), ("key", "key"), ("ca-cert", "ca")):
                yield from (f"--tls-{option}-file", str(self.folder / f"{file}.pem"))

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2_000:]


@contextlib.contextmanager
def running(
    program: str = "redis-server",
    *,
    password: str = "",
    tls: trustme.CA | None = None,
    unix_socket: bool = False,
    options: Sequence[str] = (),
) -> Iterator[RedisServer]:
    """One server; with `tls` it takes TLS only, with a certificate of that CA."""
    with _folder() as folder:
        server = RedisServer(folder, program, password=password, tls=tls, unix_socket=unix_socket, options=options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


class SentinelSet:
    """Two servers, one a copy of the other, and a sentinel that makes the copy the first when that is away."""

    name = "bridge"

    def __init__(self, servers: list[RedisServer], sentinel: RedisServer) -> None:
        self.servers, self.sentinel = servers, sentinel

    @property
    def url(self) -> str:
        """`redis+sentinel://host:port/name`."""
        return f"redis+sentinel://localhost:{self.sentinel.port}/{self.name}"

    def primary(self) -> RedisServer:
        """Return the server that takes writes, as the sentinel says."""
        found = self.sentinel.call("SENTINEL", "get-master-addr-by-name", self.name)
        assert isinstance(found, list)
        return next(server for server in self.servers if str(server.port) == found[1])

    def fail_over(self) -> RedisServer:
        """Kill the first server; return the one that took its place, once it has."""
        before = self.primary()
        before.kill()
        wait_until(lambda: self.primary() is not before, "another server is the first")
        after = self.primary()
        wait_until(lambda: _role(after) == "master", "it takes writes")
        return after


@contextlib.contextmanager
def sentinels(program: str = "redis-server", *, silent_ms: int = 500) -> Iterator[SentinelSet]:
    """Run a set with one sentinel, which waits `silent_ms` before it fails over."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(program)) for _ in range(2)]
        servers[1].call("REPLICAOF", "127.0.0.1", str(servers[0].port))
        wait_until(lambda: b"master_link_status:up" in _info(servers[1]), "the copy is complete")
        folder = stack.enter_context(_folder())
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {SentinelSet.name} 127.0.0.1 {servers[0].port} 1\n"
            f"sentinel down-after-milliseconds {SentinelSet.name} {silent_ms}\n"
            f"sentinel failover-timeout {SentinelSet.name} 3000\n"
        )
        sentinel = _Sentinel(folder, program)
        stack.callback(sentinel.kill)
        sentinel.start()
        found = SentinelSet(servers, sentinel)
        wait_until(lambda: bool(sentinel.call("SENTINEL", "replicas", found.name)), "the sentinel knows the copy")
        yield found


class _Sentinel(RedisServer):
    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder, program)
        # Options on the command line would come before the file, whose path must come first.
        self._command = [self._command[0], str(folder / "sentinel.conf"), "--sentinel", "--port", str(self.port)]


class Cluster:
    """Servers that have a third of the keys each."""

    def __init__(self, servers: list[RedisServer]) -> None:
        self.servers = servers

    @property
    def url(self) -> str:
        """`redis+cluster://host:port,host:port,host:port`."""
        return "redis+cluster://" + ",".join(f"localhost:{server.port}" for server in self.servers)


@contextlib.contextmanager
def cluster(program: str = "redis-server", *, size: int = 3) -> Iterator[Cluster]:
    """Run a cluster without copies."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(program, options=options)) for _ in range(size)]
        for number, server in enumerate(servers):
            slots = range(number * _SLOTS // size, (number + 1) * _SLOTS // size)
            server.call("CLUSTER", "ADDSLOTS", *map(str, slots))
            server.call("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for server in servers[1:]:
            server.call("CLUSTER", "MEET", "127.0.0.1", str(servers[0].port))
        known = f"cluster_known_nodes:{size}".encode()
        wait_until(
            lambda: all(
                b"cluster_state:ok" in (info := _text(server.call("CLUSTER", "INFO"))) and known in info
                for server in servers
            ),
            "the cluster is one",
        )
        yield Cluster(servers)


def wait_until(
    holds: Callable[[], bool], what: str, more: Callable[[], str] = str, patience: float = PATIENCE
) -> None:
    """Ask again and again until `holds()` is true; fail after `patience` seconds."""
    for _ in range(int(patience / _LOOK)):
        if holds():
            return
        time.sleep(_LOOK)
    raise TimeoutError(f"not within {patience:g} s: {what} {more()}")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # A unix socket's path is short: pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _free_port() -> int:
    """Return a free port whose number plus 10,000 is free, too: a cluster's servers talk to each other there."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port: int = found.getsockname()[1]
            if port < 55_000:
                with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 10_000)):
                    return port


def _role(server: RedisServer) -> object:
    found = server.call("ROLE")
    return found[0] if isinstance(found, list) else found


def _info(server: RedisServer) -> bytes:
    return _text(server.call("INFO", "replication"))


def _text(found: object) -> bytes:
    return found if isinstance(found, bytes) else str(found).encode()
