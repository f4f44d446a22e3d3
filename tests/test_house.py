"""The rules of the house, kept by a machine."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import aibridge_trio

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aibridge_trio"
FILES = sorted(PACKAGE.rglob("*.py"))
# The bench is no part of the program, and as tidy.
TIDY = [*FILES, *sorted((ROOT / "bench").rglob("*.py"))]

# Which rooms may use a library; every other room goes through them.
DOORS = {
    "hypercorn": {"server"},
    "httptools": {"http1", "requests"},
    "httpx": {"upstream", "call", "proxied", "transport", "client"},
    "backports": {"unpacking"},
    "prometheus_client": {"exposition"},
    "cyclopts": {"grammar", "reference"},
    "rich": {"top"},
}
# Rooms without a test file of their own, and where they are tested.
TESTED_ELSEWHERE = {
    "guesses": "test_cli",
    "wanted": "test_members",
    "__init__": "test_house",
    "__main__": "test_cli",
    "app": "test_asgi",
    "bounds": "test_connections",
    "bridge": "test_bridge",
    "call": "test_transport",
    "complaint": "test_verdict",
    "configuration": "test_settings",
    "configured": "test_bridge",
    "exchanges": "test_connection",
    "files": "test_settings",
    "flags": "test_cli",
    "grammar": "test_cli",
    "gzipped": "test_ahead",
    "instances": "test_gateway",
    "ledger": "test_metrics",
    "life": "test_bridge",
    "message": "test_asgi",
    "options": "test_settings",
    "json_tokens": "test_members",
    "listener": "test_listener",
    "listeners": "test_settings",
    "machines": "test_simulate_scenario",
    "outlet": "test_wire",
    "pool": "test_transport",
    "poller": "test_wire",
    "refusals": "test_queueing",
    "reject": "test_errors",
    "service": "test_connection",
    "unix": "test_listener",
    "tls": "test_wire",
    "unpacking": "test_ahead",
}
LONGEST_ROOM = 300


def name_of(file: Path) -> str:
    """Return the dotted name of a module."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def tree_of(file: Path) -> ast.Module:
    """Return a file's syntax."""
    return ast.parse(file.read_text())


def imports_of(file: Path, *, everywhere: bool) -> set[str]:
    """Return the modules that a file imports: at its top when it is run, or everywhere in it."""
    nodes = ast.walk(tree_of(file)) if everywhere else iter(tree_of(file).body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            ours = {f"{node.module}.{alias.name}" for alias in node.names} & set(map(name_of, FILES))
            found |= ours or {node.module}
    return found


def test_the_core_knows_nothing_but_errors() -> None:
    """core/ imports the standard library, itself and errors."""
    for file in (PACKAGE / "core").glob("*.py"):
        for module in imports_of(file, everywhere=True):
            allowed = module.startswith("aibridge_trio.core") or module == "aibridge_trio.errors"
            assert allowed or module.partition(".")[0] in sys.stdlib_module_names, f"{file.name} imports {module}"


def test_the_core_has_no_clock_and_no_io() -> None:
    """What is pure neither asks the time nor opens anything."""
    for file in (PACKAGE / "core").glob("*.py"):
        assert not imports_of(file, everywhere=True) & {"time", "socket", "os", "random", "datetime", "pathlib"}


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_has_its_doors(library: str) -> None:
    """One door per library, so that it can be replaced in one place."""
    for file in FILES:
        used = {module for module in imports_of(file, everywhere=True) if module.partition(".")[0] == library}
        if not used:
            continue
        room = file.relative_to(PACKAGE).with_suffix("").parts[0]
        assert room in DOORS[library] | {"help"}, f"{file.name} uses {library}"


def test_no_circles() -> None:
    """No two rooms need each other, however long the way round."""
    graph = {name_of(file): set(imports_of(file, everywhere=False)) for file in FILES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path, module))
        if module in done or module not in graph:
            return
        for needed in graph[module]:
            visit(needed, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_every_public_name_says_what_it_is() -> None:
    """Modules, public classes, functions and methods have docstrings; overrides speak for themselves."""
    for file in TIDY:
        tree = tree_of(file)
        assert ast.get_docstring(tree) or file.stat().st_size == 0, file
        for node in tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
                continue
            assert ast.get_docstring(node), f"{file.name}: {node.name}"
            protocol = isinstance(node, ast.ClassDef) and any("Protocol" in ast.dump(base) for base in node.bases)
            for method in node.body if isinstance(node, ast.ClassDef) and not protocol else []:
                setter = any(isinstance(each, ast.Attribute) for each in getattr(method, "decorator_list", []))
                if (
                    isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                    and method.name[0] != "_"
                    and not setter
                ):
                    assert ast.get_docstring(method), f"{file.name}: {node.name}.{method.name}"


def test_every_room_has_its_tests() -> None:
    """A test file per module, or a note where else it is tested."""
    tests = {file.stem for file in (ROOT / "tests").glob("test_*.py")}
    for file in FILES:
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "core":
            room = file.stem
        if room == "core" or (file.name == "__init__.py" and room != "mock"):
            continue
        expected = TESTED_ELSEWHERE.get(room, f"test_{room}")
        assert expected in tests, f"{file.relative_to(ROOT)}: no tests/{expected}.py"


def test_no_room_outgrows_its_idea() -> None:
    """A file that needs a table of contents is two files."""
    for file in TIDY:
        assert len(file.read_text().splitlines()) <= LONGEST_ROOM, file


def test_no_vague_rooms() -> None:
    """A room is named for what is in it."""
    assert not {file.stem for file in TIDY} & {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def test_every_test_states_a_law() -> None:
    """A test without a sentence is a test whose failure nobody understands."""
    for file in (ROOT / "tests").glob("test_*.py"):
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{file.name}: {node.name}"


def test_version_and_changelog_agree() -> None:
    """The newest entry is the version that is built."""
    newest = re.search(r"^## (\S+) - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == aibridge_trio.__version__


def test_every_dependency_has_its_reason() -> None:
    """A comment stands above or beside every requirement."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    lines = text.splitlines()
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        [at] = [number for number, line in enumerate(lines) if f'"{requirement}"' in line]
        assert "#" in lines[at] or lines[at - 1].lstrip().startswith("#"), requirement
