"""Descriptors, files and the certificate."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import Settings
from aibridge_trio.doctor.machine import certificate, descriptors, enough, files
from aibridge_trio.net.tls_contexts import expires_at
from tests.net.test_tls_contexts import files_of
from tests.net.test_tls_upstream_ca import signed

DAY = 86400.0


@pytest.mark.parametrize(
    ("options", "most", "level"),
    [
        ({}, 1024, "ok"),
        ({"max_connections": 448}, 1024, "ok"),
        ({"max_connections": 449}, 1024, "warning"),
        ({"max_connections": 800, "max_concurrency": 96}, 1024, "ok"),
        ({"max_connections": 800, "max_concurrency": 97}, 1024, "warning"),
        ({"max_concurrency": 512}, 1024, "ok"),
        ({"max_concurrency": 513}, 1024, "warning"),
    ],
)
def test_each_caller_takes_a_descriptor_and_its_request_one_more(
    options: dict[str, Any], most: int, level: str
) -> None:
    """With 128 for the rest; more than there are is a warning."""
    found = enough(Settings(**options), most)
    assert found.level == level
    assert "1024" in found.text


def test_the_limit_is_this_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hard one, to which serve raises the soft one."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 5000))
    assert "5000, enough for 2500" in descriptors(Settings()).text


def found(now: float = 0.0, **flags: str) -> list[tuple[str, str]]:
    """Level and text of what is found of files."""
    return [(each.level, each.text) for each in files(load(flags, {}), now)]


def test_files_that_can_be_written_are_well(tmp_path: Path) -> None:
    """Also those that do not exist yet."""
    user = f"user {os.geteuid()} may write it"
    (tmp_path / "log").touch()
    assert (
        found(state_file=str(tmp_path / "state"), log_file=str(tmp_path / "log"), bind=f"unix:{tmp_path}/socket")
        == [("ok", user)] * 3
    )
    assert found() == []


def test_files_that_cannot_be_written_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing folder, a folder in place of a file, and missing rights, which root does not lack."""
    assert found(state_file=str(tmp_path / "none" / "state")) == [("error", "its folder does not exist")]
    assert found(log_file=str(tmp_path)) == [("error", "is a folder")]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert found(state_file=str(tmp_path / "state")) == [("error", f"user {os.geteuid()} may not write it")]


@pytest.mark.parametrize(("mode", "level"), [(0o644, "ok"), (0o664, "ok"), (0o646, "error")])
def test_a_configuration_that_every_user_may_change_is_an_error(tmp_path: Path, mode: int, level: str) -> None:
    """It decides where keys go."""
    path = tmp_path / "aibridge.toml"
    path.touch()
    path.chmod(mode)
    assert [each for each, _ in found(config=str(path))] == [level]


def test_a_certificate_that_ends_soon_is_no_surprise(tmp_path: Path) -> None:
    """Within 14 days it is a warning, then an error; one that cannot be read is a warning."""
    chain, _ = files_of(tmp_path, signed("localhost", None, authority=False))
    end = expires_at(chain)
    assert end
    assert certificate(chain, end - 15 * DAY).level == "ok"
    assert certificate(chain, end - 13 * DAY).level == "warning"
    assert certificate(chain, end + 1).level == "error"
    assert certificate(tmp_path / "none", end).level == "warning"
