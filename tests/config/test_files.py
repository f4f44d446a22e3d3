from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from aibridge_trio.config import files
from aibridge_trio.config.units import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("check", [files.table, files.secret, files.check_authorities, files.check_readable])
def test_a_missing_file_is_invalid(check: Callable[[Path], object], tmp_path: Path) -> None:
    """Each check of a missing file raises an error that says so."""
    with pytest.raises(InvalidValue, match=r"^cannot be read: No such file"):
        check(tmp_path / "none")


def test_a_table_is_toml(tmp_path: Path) -> None:
    """A configuration file is TOML in UTF-8."""
    path = tmp_path / "t.toml"
    path.write_text("rate_limit = 1")
    assert files.table(path) == {"rate_limit": 1}
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(InvalidValue, match="is not UTF-8"):
        files.table(path)


def test_a_mark_in_front_of_utf_8_is_no_text(tmp_path: Path) -> None:
    """Some editors begin a file with it; it is no part of a key, a secret or a value."""
    path = tmp_path / "t.toml"
    path.write_bytes(b"\xef\xbb\xbfrate_limit = 1\r\n")
    assert files.table(path) == {"rate_limit": 1}
    path.write_bytes(b"\xef\xbb\xbfhunter2\r\n")
    assert files.secret(path).reveal() == "hunter2"
    path.write_bytes(b"\xff\xfea\x00")
    with pytest.raises(InvalidValue, match="is not UTF-8"):
        files.table(path)


def test_a_secret_loses_its_white_space(tmp_path: Path) -> None:
    """Editors end files with a newline; it is no part of the secret."""
    path = tmp_path / "s"
    path.write_text("hunter2\r\n")
    assert files.secret(path).reveal() == "hunter2"


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path) -> None:
    """OpenSSL never gets to ask for a passphrase at the terminal."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = "openssl req -x509 -newkey rsa:2048 -subj /CN=x -passout pass:hunter2 -days 1"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    with pytest.raises(InvalidValue, match="passphrase"):
        files.check_chain(certificate, key)
