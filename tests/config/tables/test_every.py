"""All tables together."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import Settings
from aibridge_trio.config.tables.every import NAMES, form
from aibridge_trio.errors import UsageError
from tests.support.config_documents import DOCUMENTS, text

if TYPE_CHECKING:
    from pathlib import Path

CALLERS = '[classes.people]\n[[callers]]\nname = "a"\nclass = "people"\n'


def read(tmp_path: Path, config: str, callers: str | None = None, **flags: object) -> Settings:
    """Return the settings of two files."""
    (tmp_path / "a.toml").write_text(config)
    flags["config"] = str(tmp_path / "a.toml")
    if callers is not None:
        (tmp_path / "c.toml").write_text(callers)
        flags["callers_file"] = str(tmp_path / "c.toml")
    return load(flags, {}).settings  # type: ignore[arg-type]


def error(tmp_path: Path, config: str, callers: str | None = None) -> str:
    """Return the error that two files get, without their folder."""
    with pytest.raises(UsageError) as found:
        read(tmp_path, config, callers)
    return str(found.value).replace(f"{tmp_path}/", "")


def test_callers_stand_in_either_file(tmp_path: Path) -> None:
    """With the same result."""
    assert read(tmp_path, CALLERS).known_callers == read(tmp_path, "", CALLERS).known_callers
    assert read(tmp_path, CALLERS).callers_required


def test_callers_stand_in_one_file(tmp_path: Path) -> None:
    """Which of the two would count?"""
    assert error(tmp_path, CALLERS, CALLERS) == (
        "a.toml:1:2: [classes]: --callers-file is given too; keep callers and classes in one file"
    )


def test_a_file_of_callers_holds_nothing_else(tmp_path: Path) -> None:
    """Options in it would be without effect."""
    assert error(tmp_path, "", "\nrate_limit = 1") == (
        "c.toml:2:1: rate_limit: unknown key; this file holds [classes.NAME] and [[callers]]"
    )
    assert error(tmp_path, "", "[[caller]]") == "c.toml:1:3: caller: unknown key; did you mean [[callers]]?"


def test_an_empty_file_of_callers_admits_no_caller(tmp_path: Path) -> None:
    """It is not the same as no file; with --allow-anonymous callers need no token."""
    assert read(tmp_path, "", "").callers_required
    assert not read(tmp_path, "").callers_required
    assert not read(tmp_path, "", "", allow_anonymous=True).callers_required


def test_a_table_that_is_nearly_one_is_a_mistake(tmp_path: Path) -> None:
    """With the one that was meant."""
    assert error(tmp_path, "[provider.azure]") == (
        "a.toml:1:2: [provider]: unknown table; did you mean [providers.NAME]?"
    )
    assert error(tmp_path, "[[route]]").endswith("unknown key; did you mean [[routes]]?")


@given(DOCUMENTS)
@settings(max_examples=200)
def test_whatever_the_tables_hold_an_error_has_its_place(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    """They are loaded, or the error names file, line and column; and the document is what the text says."""
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text(text(document))
    assert tomllib.loads(text(document)) == document
    line = ""
    try:
        load({"config": str(file)}, {"AZURE_KEY": "sk-1"})
    except UsageError as error:
        line = str(error)
    assert not line or re.match(rf"{re.escape(str(file))}:[1-4]:[0-9]+: \[", line)


def test_forms() -> None:
    """As headers in the file."""
    assert [form(name) for name in NAMES] == ["[classes.NAME]", "[[callers]]", "[providers.NAME]", "[[routes]]"]
