"""Reads and checks the files that settings name.

Every function raises `InvalidValue` only; its text continues a sentence that begins with the file's name.
"""

from __future__ import annotations

import codecs
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.document import Document
from aibridge_trio.config.units import SECRET, InvalidValue
from aibridge_trio.net import tls_contexts
from aibridge_trio.printable import visible

if TYPE_CHECKING:
    from pathlib import Path

    from aibridge_trio.config.units import Secret

# Bounds on what is read, so that /dev/zero ends (bytes).
_LONGEST_TABLE = 1 << 20
_LONGEST_CALLERS = 1 << 26  # 200,000 callers
_LONGEST_SECRET = 1 << 14
_LONGEST_CERTIFICATES = 1 << 24


def table(path: Path) -> dict[str, Any]:
    """Return the values of the TOML document in this file."""
    return dict(document(path).values)


def callers(path: Path) -> Document:
    """Return the TOML document in a file of callers, of which there may be many."""
    return document(path, _LONGEST_CALLERS)


def document(path: Path, longest: int = _LONGEST_TABLE) -> Document:
    """Return the TOML document in this file of at most `longest` bytes."""
    data = _contents(path, longest)
    try:
        text = _without_bom(data).decode()
        return Document(str(path), tomllib.loads(text), text)
    except UnicodeDecodeError:
        raise InvalidValue("is not UTF-8") from None
    except RecursionError:
        raise InvalidValue("is nested too deeply") from None
    except ValueError as error:  # a number too long for Python is not a TOMLDecodeError
        raise InvalidValue(f"is not TOML: {visible(str(error), 120)}", "correct it there") from None


def secret(path: Path) -> Secret:
    """Return the secret in this file, without surrounding white space."""
    text = _without_bom(_contents(path, _LONGEST_SECRET)).decode("latin-1")
    try:
        return replace(SECRET.parse(text), file=path)
    except InvalidValue:
        raise InvalidValue("is empty, in quotes, or has characters other than visible ASCII") from None


def check_chain(certificate: Path, key: Path) -> None:
    """Check that a certificate chain and a private key load together. Raises InvalidValue."""
    try:
        tls_contexts.check_chain(certificate, key)
    except tls_contexts.CertificateError as error:
        raise InvalidValue(str(error)) from None


def check_authorities(path: Path) -> None:
    """Check that a file holds certificates. Raises InvalidValue."""
    check_readable(path)
    try:
        tls_contexts.check_authorities(path)
    except tls_contexts.CertificateError as error:
        raise InvalidValue(str(error)) from None


def check_readable(path: Path) -> None:
    """Check that the file can be read."""
    _contents(path, _LONGEST_CERTIFICATES)


def contents(path: Path) -> bytes:
    """Return the content of a file of certificates, or of a shorter one."""
    return _contents(path, _LONGEST_CERTIFICATES)


def _without_bom(data: bytes) -> bytes:
    """Return the text without the byte order mark that some editors put before UTF-8."""
    return data.removeprefix(codecs.BOM_UTF8)


def _contents(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InvalidValue(f"cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the name
        raise InvalidValue("cannot be read: no such name") from None
    if len(data) > limit:
        raise InvalidValue(f"is longer than {limit} bytes")
    return data
