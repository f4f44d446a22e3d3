"""The proxies that are compared: one module each, with its configuration and its URLs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.compare.traffic import Header

# Where bench/README.md has them installed.
INSTALLED = Path(os.environ.get("BENCH_PEERS") or Path(__file__).parents[3] / "build" / "peers")
# Debian has nginx where only root's PATH leads.
_SYSTEM = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"


@dataclass(frozen=True, slots=True)
class Launch:
    """What starts a proxy: its command, variables of its environment, files to be written before."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TLS:
    """Where a proxy shall speak TLS: to its callers (`front`), to the provider (`behind`).

    `certificate` is the file (PEM) of it and its key, for both; it is signed by itself.
    """

    certificate: Path
    front: bool = False
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy shall live: its port, one for its operator, the provider's, a folder of its own."""

    port: int
    admin: int
    provider: int
    folder: Path
    tls: TLS | None = None

    @property
    def front(self) -> TLS | None:
        """The TLS to speak with callers."""
        return self.tls if self.tls and self.tls.front else None

    @property
    def behind(self) -> TLS | None:
        """The TLS to speak with the provider."""
        return self.tls if self.tls and self.tls.behind else None


def no_headers(_place: Place) -> tuple[Header, ...]:
    """Return none."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A proxy: `launch` makes the command from its executable and its place.

    `path` is where chat completions are asked for, `headers` what only this proxy needs, `crowd` how many streams
    it can hold open at once, up to the 5,000 that are tried. `ours` marks the bridge. `tls` is whether `launch`
    configures TLS where the place asks for it, `slow` whether long prompts and new connections are left out.
    """

    name: str
    executable: str
    version: str
    launch: Callable[[str, Place], Launch]
    path: str = "/v1/chat/completions"
    headers: Callable[[Place], tuple[Header, ...]] = no_headers
    crowd: int = 5000
    ours: bool = False
    tls: bool = False
    slow: bool = False


def find(program: str, folder: str) -> str | None:
    """Return the executable: from `folder` among the installed peers, else from PATH."""
    candidate = INSTALLED / folder / program
    return str(candidate) if os.access(candidate, os.X_OK) else shutil.which(program, path=_SYSTEM)


def said(*argv: str) -> str:
    """Return what a command says of itself, in one line."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    return " ".join((done.stdout + done.stderr).split())
