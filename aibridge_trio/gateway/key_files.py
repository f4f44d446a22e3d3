"""Rereads keys from their files: systemd's credentials and Kubernetes' secrets are replaced while a bridge runs.

A file is read again when it has changed, and has looked the same twice since: a file that is being written is not
read in the middle. One that cannot be read, or is empty, leaves the key as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from aibridge_trio.config import files
from aibridge_trio.config.units import InvalidValue, Secret

# How often files are looked at (seconds).
INTERVAL = 2.0

# What tells a file from what it was: a replaced link, too.
_Signature = tuple[int, ...] | None


@dataclass(slots=True)
class _Watched:
    """A file: how it looked last, and when it was read last; `changed` since it is watched."""

    seen: _Signature = ()
    read: _Signature = ()
    changed: bool = False


class KeyFiles:
    """The files of one provider's keys. `warn` gets texts.

    `reread` gets the keys of files that were read, and the paths of those that changed while watched.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        reread: Callable[[Mapping[Path, Secret], Collection[Path]], None],
        warn: Callable[[str], None],
    ) -> None:
        self._reread = reread
        self._warn = warn
        self._any = trio.Event()
        self._watched: dict[Path, _Watched] = {}
        self.watch(paths)

    def watch(self, paths: Iterable[Path]) -> None:
        """Look at these files from now on; each is read once more, in case it has changed meanwhile."""
        self._watched = {path: _Watched() for path in paths}
        if self._watched:
            self._any.set()

    async def run(self) -> None:
        """Look at the files every few seconds, until cancelled."""
        while True:
            await self._any.wait()
            await trio.sleep(INTERVAL)
            watched = self._watched
            # A file system may hang: it must hold up neither requests nor the end of the bridge.
            found = await trio.to_thread.run_sync(_look, watched, abandon_on_cancel=True)
            if watched is not self._watched:
                continue
            for path, problem in found.items():
                if isinstance(problem, InvalidValue):
                    self._warn(f"{path} {problem}; the key that was read before stays in use")
            secrets = {path: secret for path, secret in found.items() if isinstance(secret, Secret)}
            if secrets:
                self._reread(secrets, [path for path in secrets if watched[path].changed])


def _look(watched: Mapping[Path, _Watched]) -> dict[Path, Secret | InvalidValue]:
    """Return what is in the files that have changed, and look the same as at the last call."""
    found: dict[Path, Secret | InvalidValue] = {}
    for path, file in watched.items():
        before, file.seen = file.seen, _signature(path)
        if file.seen != before or file.seen == file.read:
            continue
        try:
            content: Secret | InvalidValue = files.secret(path)
        except InvalidValue as problem:
            content = problem
        if _signature(path) == file.seen:
            file.changed = file.read != ()
            file.read = file.seen
            found[path] = content
    return found


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
