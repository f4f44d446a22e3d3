"""The file of a bridge's state: read at the start, written every half minute and at the end, in a thread.

A file that cannot be read is renamed, never overwritten. What is in it is another's: see `State`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import trio

from aibridge_trio.core.snapshots import Saved
from aibridge_trio.process.state_file import StateFile

# The version of the file's content: another one is not read.
VERSION = 1
_FORMAT = "aibridge-state"
# Between two writes (seconds).
_INTERVAL = 30.0
# How long the last write may take, and how often one that is under way is looked at before it (seconds).
_LAST_WRITE, _LOOK = 5.0, 0.05


class State(Protocol):
    """What is saved: of a bridge, or of several workers."""

    def take(self, saved: Saved, *, learned: bool) -> None:
        """Take over what was saved, after an earlier time only what has come since; not what was `learned`, if so.

        Raises ValueError for what cannot be used at all.
        """

    async def snapshot(self) -> Callable[[], Saved]:
        """Return what gives what is to be saved: it runs in a thread."""


class SavedState:
    """Restores at the start, and saves while it runs; does nothing without a `path`. `warn` gets warnings."""

    def __init__(self, path: Path | None, state: State, warn: Callable[[str, str], None]) -> None:
        self._file = StateFile(path) if path else None
        self._state = state
        self._warn = warn
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
        self._state.take(document, learned=learned)

    async def _save(self, file: StateFile) -> None:
        if not self._writes and not (self._begin(file, learned=False) and self._writes):
            return
        snapshot = await self._state.snapshot()

        def write() -> None:
            try:
                document = {"format": _FORMAT, "version": VERSION, **snapshot()}
                file.write(json.dumps(document, indent=1).encode())
            finally:
                self._writing = False

        try:
            self._writing = True
            await trio.to_thread.run_sync(write, abandon_on_cancel=True)
            self._complaint = ""
        except OSError as error:
            self._complain(f"it cannot be written: {_cause(error)}")

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
