"""What this machine gives the bridge: descriptors, files that it may write, a certificate that is valid.

It is examined as the user that runs the command. Exposed secrets are among the warnings of `aibridge check`.
"""

from __future__ import annotations

import os
import resource
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from aibridge_trio.config.loader import Loaded
from aibridge_trio.config.settings import Settings, UnixSocket
from aibridge_trio.doctor.finding import Finding
from aibridge_trio.net.tls_contexts import expires_at
from aibridge_trio.server.connection_limit import caller_bounds

# Descriptors for the admin listener, the log, the poller, files and the store.
_OTHERS = 128
_FEW_DAYS, _DAY = 14, 86400.0


def descriptors(settings: Settings) -> Finding:
    """Return whether there are enough; serve raises its soft limit to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    return enough(settings, most)


def enough(settings: Settings, most: int) -> Finding:
    """Return whether so many descriptors are enough: each caller takes one, and its request one more."""
    callers = caller_bounds(settings, most).most
    in_flight = min(callers, settings.max_concurrency or callers)
    needed = callers + in_flight + _OTHERS
    shown = "unlimited" if most == sys.maxsize else str(most)
    if settings.max_connections and needed > most:
        text = f"{shown}, and {callers} callers with {in_flight} requests take {needed}"
        remedy = "raise LimitNOFILE= (systemd) or ulimit -Hn, or lower --max-connections"
        return Finding("warning", "descriptors", "of this user", text, remedy)
    if not settings.max_connections and settings.max_concurrency > callers:
        text = f"{shown}, so {callers} callers connect at once, fewer than --max-concurrency"
        remedy = "raise LimitNOFILE= (systemd) or ulimit -Hn, or lower --max-concurrency"
        return Finding("warning", "descriptors", "of this user", text, remedy)
    return Finding("ok", "descriptors", "of this user", f"{shown}, enough for {callers} connections of callers")


def files(loaded: Loaded, now: float) -> Iterator[Finding]:
    """Yield a finding for each file that the bridge writes or trusts; `now` is Unix time."""
    settings = loaded.settings
    if path := settings.state_file:
        # It is replaced as a whole: a new file, and a lock, beside it.
        yield _writable(path, "--state-file", path.parent)
    if path := settings.log_file:
        yield _writable(path, "--log-file", path if path.exists() else path.parent)
    for bind in settings.bind:
        if isinstance(bind, UnixSocket):
            yield _writable(Path(bind.path), "--bind", Path(bind.path).parent)
    for trusted in dict.fromkeys(filter(None, (loaded.config, settings.callers_file))):
        yield _trusted(trusted)
    if settings.tls_cert:
        yield certificate(settings.tls_cert, now)


def certificate(path: Path, now: float) -> Finding:
    """Return how long the callers' certificate is valid."""
    end = expires_at(path)
    if end is None:
        return Finding("warning", "files", str(path), "the end of this certificate cannot be read")
    days = (end - now) / _DAY
    if days < 0:
        return Finding("error", "files", str(path), "this certificate has expired", "renew it")
    if days < _FEW_DAYS:
        return Finding("warning", "files", str(path), f"this certificate ends in {days:.0f} days", "renew it")
    return Finding("ok", "files", str(path), f"this certificate is valid for {days:.0f} days")


def _writable(path: Path, option: str, target: Path) -> Finding:
    """Return whether this user may write a file, for which `target` has to be writable."""
    where, user = f"{option} {path}", f"user {os.geteuid()}"
    if not target.exists():
        return Finding("error", "files", where, "its folder does not exist", f"create {target}")
    if path.is_dir():
        return Finding("error", "files", where, "is a folder", "name a file")
    if not os.access(target, os.W_OK | (os.X_OK if target.is_dir() else 0)):
        return Finding("error", "files", where, f"{user} may not write it", f"change owner or mode of {target}")
    return Finding("ok", "files", where, f"{user} may write it")


def _trusted(path: Path) -> Finding:
    """Return whether others may write a file that decides who is served."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Finding("error", "files", str(path), f"cannot be read: {error.strerror}")
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        return Finding("error", "files", str(path), "every user may change it", "chmod o-w it")
    return Finding("ok", "files", str(path), "not every user may change it")
