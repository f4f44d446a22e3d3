"""`aibridge token`: new tokens, what is known of all of them, and their end."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from aibridge_trio.config import callers_file, files
from aibridge_trio.config.caller_tokens import new_token, token_hash
from aibridge_trio.config.document import Document
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.settings import Settings
from aibridge_trio.config.tables.callers import known_callers
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.printable import quoted, visible

# Characters of a hash that are shown.
_SHOWN = 12
_EXAMPLES = {"new": "aibridge token new dev-07", "revoke": "aibridge token revoke dev-07"}


@dataclass(frozen=True)
class Said:
    """What a command prints: `result` on stdout, `notes` on stderr."""

    result: str = ""
    notes: tuple[str, ...] = ()


def run(action: str, name: str, options: Mapping[str, Any]) -> Said:
    """Run one of the actions. Raises UsageError and CommandError."""
    if action == "list":
        if name:
            raise UsageError(f"{quoted(name)}: one argument too many; list shows every caller")
        return Said(_listed(_read(_file(options, needed=True)).known, as_json=options["json"]))
    if not name:
        raise UsageError(f"NAME: a value is missing; write e.g. {_EXAMPLES[action]}")
    return _new(name, options) if action == "new" else _revoke(name, options)


# The actions.


def _new(name: str, options: Mapping[str, Any]) -> Said:
    file, class_name = _file(options), options["class_"]
    token = new_token()
    hashed = token_hash(token.encode())
    if options["add"] and (class_name or options["expires"]):
        raise UsageError("--add: the caller keeps class and last day; write it without --class and --expires")
    written = callers_file.entry(name, hashed, class_name, options["expires"])
    if file is None:
        if options["add"]:
            raise UsageError("--add: no file is named; add --callers-file FILE")
        own_class = f"[classes.{json.dumps(class_name)}]\n" if class_name else ""
        _known("the entry", own_class + written)
        return Said(f"{token}\n\n{written}", (f"{_ONCE} Put the entry into the file of callers.",))

    def edit(held: _Held) -> str:
        there = any(caller.name == name for caller in held.known.callers)
        if there and not options["add"]:
            raise UsageError(f"{name} is in {visible(str(file))} already; for one more token add --add")
        if options["add"] and not there:
            raise UsageError(f"{name} is not in {visible(str(file))}; write it without --add")
        if there:
            return callers_file.add_token(held.text, name, hashed)
        # With classes in the file another name is more likely a slip than a new class.
        first_class = class_name if class_name and not held.known.classes else None
        if first_class:
            notes.append(
                f"{visible(str(file))} had no classes: [classes.{visible(first_class)}] is new; set its terms"
            )
        return callers_file.add_caller(held.text, written, first_class)

    notes: list[str] = []
    _edit(file, edit)
    return Said(f"{token}\n", (f"{_ONCE} {name} is in {visible(str(file))}; {_RELOAD}", *notes))


def _revoke(name: str, options: Mapping[str, Any]) -> Said:
    file = _file(options, needed=True)
    prefix = options["hash"]

    def edit(held: _Held) -> str:
        caller = next((each for each in held.known.callers if each.name == name), None)
        if caller is None:
            raise UsageError(f"{name} is not in {visible(str(file))}; aibridge token list shows who is")
        if prefix is None:
            return callers_file.remove_caller(held.text, name)
        found = [each for each in caller.token_sha256 if each.startswith(prefix.lower())]
        if len(found) != 1:
            raise UsageError(f"--hash {visible(prefix, 64)}: {len(found)} tokens of {name} begin so; name one")
        return callers_file.remove_token(held.text, name, found[0])

    _edit(file, edit)
    what = name if prefix is None else f"that token of {name}"
    return Said(notes=(f"{what} is no longer in {visible(str(file))}; {_RELOAD}",))


_ONCE = "The token is shown this once."
_RELOAD = "a running bridge follows after `aibridge reload`"


def _listed(known: KnownCallers, *, as_json: bool) -> str:
    rows = [row for caller in known.callers for row in _rows(caller, datetime.now(UTC).date())]
    if as_json:
        return json.dumps(rows, indent=2) + "\n"
    titles = ("name", "class", "expires", "token", "state")
    cells = [titles, *(tuple(str(row[title] or "-") for title in titles) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(titles))]
    padded = (map(str.ljust, line, widths) for line in cells)
    return "".join("  ".join(line).rstrip() + "\n" for line in padded)


def _rows(caller: KnownCaller, today: date) -> Iterator[dict[str, Any]]:
    """Yield a row for each token, or certificate, of a caller."""
    state = "valid" if caller.valid_on(today) else "expired"
    named: list[str | None] = [each[:_SHOWN] for each in caller.token_sha256]
    if caller.certificate is not None:
        named.append(f"certificate {caller.certificate}")
    for each in named or [None]:
        yield {
            "name": caller.name,
            "class": caller.class_name or None,
            "expires": caller.expires.isoformat() if caller.expires else None,
            "token": each,
            "state": state if each else "no token",
        }


# Files.


@dataclass(frozen=True)
class _Held:
    """A file of callers as it is."""

    text: str
    known: KnownCallers


def _file(options: Mapping[str, Any], *, needed: bool = False) -> Any:
    """Return the file of callers: the one that is named, or that of the configuration, or the configuration."""
    if file := options["callers_file"]:
        return file
    config: Path | None = options["config"]
    if config is None:
        if needed:
            raise UsageError("no file is named; add --callers-file FILE or --config FILE")
        return None
    held = _document(config).values.get("callers_file")
    return Path(held) if isinstance(held, str) else config


def _read(file: Path) -> _Held:
    document = _document(file)
    return _Held(document.text, _known(document.name, document.text))


def _document(file: Path) -> Document:
    try:
        return files.callers(file)
    except InvalidValue as invalid:
        raise UsageError(f"{visible(str(file))} {invalid}; name a readable TOML file") from None


def _known(name: str, text: str) -> KnownCallers:
    return known_callers(Document(name, tomllib.loads(text), text), Settings(), configured=True)


def _edit(file: Path, edit: Callable[[_Held], str]) -> None:
    """Replace a file by what `edit` makes of it, at once and only if that is valid; create it if it is not there.

    Another `aibridge token` waits meanwhile, so that none loses what the other writes.
    """
    file = Path(os.path.realpath(file))
    try:
        with _alone(file.parent):
            held = _read(file) if file.exists() else _Held("", KnownCallers())
            text = edit(held)
            _known(str(file), text)
            _replace(file, text)
    except OSError as error:
        raise CommandError(f"{visible(str(file))} cannot be written: {error.strerror}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Write a file in one step, with the owner and the mode that it has; a new one is its owner's only (0600)."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            with suppress(FileNotFoundError):
                there = file.stat()
                os.fchmod(out.fileno(), there.st_mode & 0o7777)
                if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
                    with suppress(PermissionError):
                        os.fchown(out.fileno(), there.st_uid, there.st_gid)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
