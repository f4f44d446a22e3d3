"""Which of Python's static libraries the binary is linked with."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The script's functions, on a Python whose libraries are in an empty directory."""
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    known = {"LIBPL": str(tmp_path), "LIBRARY": "libpython.a"}
    monkeypatch.setattr(sysconfig, "get_config_var", known.get)
    return runpy.run_path(str(ROOT / "packaging" / "build.py"))


def library(path: Path, *, profiled: bool) -> None:
    """Compile a static library of a hundred hot functions, or of as many others."""
    heat = "__attribute__((hot)) " if profiled else ""
    source = path.with_suffix(".c")
    source.write_text("".join(f"{heat}int f{number}(int x) {{ return x + {number}; }}\n" for number in range(100)))
    code = path.with_suffix(".o")
    subprocess.run(["gcc", "-O2", "-ffunction-sections", "-c", "-o", code, source], check=True)
    subprocess.run(["ar", "rc", path, code], check=True)


needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@needs_gcc
def test_debians_library_with_pgo_is_linked_to_a_fixed_address(build: dict[str, Any], tmp_path: Path) -> None:
    """It is faster than its sibling, which fits anywhere, and is taken if it is there for that."""
    usual, sibling = tmp_path / "libpython.a", tmp_path / "libpython-pic.a"
    choose: Callable[[], tuple[Path, tuple[str, ...]]] = build["static_library"]
    library(usual, profiled=True)
    assert choose() == (usual, ())
    library(sibling, profiled=False)
    assert choose() == (usual, ("-no-pie",))
    usual.unlink()
    library(usual, profiled=False)
    assert choose() == (sibling, ())


@needs_gcc
def test_a_library_tells_whether_it_was_profiled(build: dict[str, Any], tmp_path: Path) -> None:
    """By its sections."""
    for profiled in (True, False):
        file = tmp_path / f"lib{profiled}.a"
        library(file, profiled=profiled)
        assert build["with_pgo"](file) == profiled


def test_a_python_without_a_static_library_is_named(
    build: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line, before anything is built; without gcc and readelf too."""
    (tmp_path / "libpython-pic.a").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=f"^make binary: gcc not found for {sys.executable}; "):
        build["check_python"]()
