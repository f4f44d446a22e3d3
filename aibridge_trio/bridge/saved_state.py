"""What a bridge saves for the one that comes after it: budgets, breakers, and what was learned of providers.

The file is written every half minute and at the end, in a thread. What is older than ten minutes is not used, but
for budgets: a provider may be well by then. A file that cannot be read is renamed, never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import trio

from aibridge_trio.core.adaptive.governor_snapshot import restore_governor, snapshot_of
from aibridge_trio.core.budgets import Snapshot
from aibridge_trio.core.snapshots import Saved, number
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.gateway.spending import Spending
from aibridge_trio.process.state_file import StateFile

# The version of the file's content: another one is not read.
VERSION = 1
_FORMAT = "aibridge-state"
# Between two writes, and how old breakers and learned limits may be (seconds).
_INTERVAL, _OUT_OF_DATE = 30.0, 600.0
# How long the last write may take, and how often one that is under way is looked at before it (seconds).
_LAST_WRITE, _LOOK = 5.0, 0.05


class SavedState:
    """Restores at the start, and saves while it runs; does nothing without a `path`. `warn` gets warnings."""

    def __init__(
        self,
        path: Path | None,
        backends: Iterable[Backend],
        spending: Spending,
        warn: Callable[[str, str], None],
    ) -> None:
        self._file = StateFile(path) if path else None
        self._backends = backends
        self._budgets = spending.budgets
        self._clock = spending.clock
        self._wall_clock = spending.wall_clock
        self._warn = warn
        self._read: Snapshot | None = None  # the budgets that were taken over
        self._writes = False  # whether this process may: the file is locked
        self._writing = False  # by a thread, which may be abandoned
        self._complaint = ""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Restore, then save every half minute until cancelled, and once more."""
        file = self._file
        keeps = file is not None and self._begin(file, learned=True)
        task_status.started()
        if file is None or not keeps:
            return
        try:
            while True:
                await trio.sleep(_INTERVAL)
                await self._save(file)
        finally:
            with trio.move_on_after(_LAST_WRITE, shield=True):
                while self._writing:  # noqa: ASYNC110 - a thread ends it
                    await trio.sleep(_LOOK)
                await self._save(file)
            if self._writing:
                self._complain(f"it was not written within {_LAST_WRITE:g} s")
            else:
                file.unlock()

    def _begin(self, file: StateFile, *, learned: bool) -> bool:
        """Take over what is in the file; return whether it may be written, now or later."""
        try:
            self._writes = file.lock()
            content = file.read()
        except OSError as error:
            self._complain(f"{_cause(error)}; the bridge does without it, and does not write it")
            return False
        if not self._writes:
            self._complain("another process writes it; this one will when that has ended")
        try:
            if content is not None:
                self._take(json.loads(content), learned=learned)
        except (ValueError, RecursionError) as error:
            return self._set_aside(file, str(error) if isinstance(error, _OtherVersionError) else "it is damaged")
        return True

    def _set_aside(self, file: StateFile, fault: str) -> bool:
        try:
            aside = file.set_aside()
        except OSError as error:
            self._complain(f"{fault}, and cannot be renamed: {_cause(error)}; the bridge does not write it")
            return False
        self._complain(f"{fault}: BUDGETS BEGIN ANEW, and breakers are closed; it is kept as {aside}")
        return True

    def _take(self, document: Any, *, learned: bool) -> None:
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError("it is no state of a bridge")
        if document.get("version") != VERSION:
            raise _OtherVersionError(f"it has version {str(document.get('version'))[:20]}, not {VERSION}")
        elapsed = max(0.0, self._wall_clock() - number(document, "saved_at"))
        self._read = self._budgets.restore(document.get("budgets"), self._read)
        providers = document.get("providers")
        if not learned or elapsed > _OUT_OF_DATE or not isinstance(providers, dict):
            return
        for backend in self._backends:
            if isinstance(saved := providers.get(backend.name), dict):
                try:
                    self._take_learned(backend, saved, elapsed)
                except ValueError:
                    self._complain(f"what it has of {backend.name} is damaged, and ignored")

    def _take_learned(self, backend: Backend, saved: Saved, elapsed: float) -> None:
        breakers, learned = saved.get("breakers"), saved.get("learned")
        if backend.circuits.enabled and isinstance(breakers, dict):
            backend.circuits.restore(breakers, elapsed)
        if backend.adaptive and isinstance(learned, dict):
            restore_governor(backend.adaptive.limiter.governor, learned, self._clock(), elapsed)

    async def _save(self, file: StateFile) -> None:
        if not self._writes and not (self._begin(file, learned=False) and self._writes):
            return
        head = {"format": _FORMAT, "version": VERSION, "saved_at": round(self._wall_clock(), 3)}
        learned = {backend.name: self._learned(backend) for backend in self._backends}

        def write() -> None:
            try:
                document = {**head, "budgets": self._budgets.snapshot(), "providers": learned}
                file.write(json.dumps(document, indent=1).encode())
            finally:
                self._writing = False

        try:
            self._writing = True
            await trio.to_thread.run_sync(write, abandon_on_cancel=True)
            self._complaint = ""
        except OSError as error:
            self._complain(f"it cannot be written: {_cause(error)}")

    def _learned(self, backend: Backend) -> Saved:
        limiter = backend.adaptive.limiter if backend.adaptive else None
        return {
            "breakers": backend.circuits.snapshot() if backend.circuits.enabled else None,
            "learned": snapshot_of(limiter.governor, self._clock()) if limiter else None,
        }

    def _complain(self, text: str) -> None:
        """Warn, but not of the same again."""
        if text != self._complaint:
            self._complaint = text
            assert self._file
            self._warn(f"state file {self._file.path}: {text}", "state")

    def __repr__(self) -> str:
        return f"<SavedState {self._file!r}>"


class _OtherVersionError(ValueError):
    """The file is of another version of the bridge."""


def _cause(error: OSError) -> str:
    return error.strerror or str(error)
