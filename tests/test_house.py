"""The rules of the house, kept by a machine."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import aibridge_trio

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "aibridge_trio"
FILES = sorted(PACKAGE.rglob("*.py"))
# The bench and the tools are not in the package, and keep the same rules.
TIDY = [*FILES, *sorted((ROOT / "bench").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))]

# The modules that may import each library, so that it can be replaced in one place.
LIBRARIES = {
    "hypercorn": {"server.lifespan"},
    "httptools": {"http.response_parser", "http.request_parser"},
    "httpx": {
        "net.tls_contexts",
        "upstream.client",
        "upstream.exchange",
        "upstream.lost_connection",
        "upstream.call",
        "upstream.via_proxy",
        "upstream.transport",
        "admin.client",
        "demo.side",
        "telemetry.tracing.exporter",
    },
    "coredis": {"sharing.redis.connection"},
    "opentelemetry": {"telemetry.tracing.otlp"},
    "google": {"telemetry.tracing.otlp"},
    "anyio": {"sharing.redis.connection"},
    "backports": {"http.decompression"},
    "prometheus_client": {"telemetry.exposition_format"},
    "cyclopts": {"cli.parser"},
    "rich": {"top"},
}
# The wings, lowest first: what each may import of the package besides itself.
_CORE = {
    "core.terms",
    "core.budgets",
    "core.snapshots",
    "core.caller",
    "core.priority",
    "core.adaptive",
    "core.quota",
    "core.quota_headers",
    "core.limits",
    "core.breaker",
    "core.inspection",
    "core.key_errors",
    "core.key_pool",
    "core.sharing",
}
_BASE = {"printable", "errors", "process"}
WINGS: dict[str, set[str]] = {
    "printable": set(),
    "process": set(),
    "errors": {"printable"},
    "http": {"errors"},
    "net": {"errors"},
    "core.terms": set(),
    "core.caller": {"core.terms"},
    "core.budgets": {"core.terms"},
    "core.quota": set(),
    "core.quota_headers": {"core.quota"},
    "core.snapshots": set(),
    "core.priority": set(),
    "core.adaptive": {"core.quota", "core.priority", "core.snapshots"},
    "core.sharing": {"core.terms", "core.budgets"},
    "core.limits": {"errors", "core.terms", "core.priority", "core.sharing"},
    "core.breaker": {"errors", "http", "core.quota", "core.snapshots"},
    "core.inspection": {"errors", "http", "core.breaker"},
    "core.key_errors": {"core.breaker"},
    "core.key_pool": set(),
    "sharing": {"errors", "printable", "net", "process", "core.sharing", "core.terms"},
    "providers": {"errors", "http", "core.breaker"},
    "events": {"errors", "process", "sharing", *_CORE},
    "config": {"errors", "printable", "net", "sharing", *_CORE},
    "upstream": {"errors", "http", "net"},
    "server": {"errors", "http", "net", "process", "config"},
    "gateway": {
        *("errors", "printable", "http", "net", "providers", "events", "config", "sharing", "upstream"),
        *_CORE,
    },
    "telemetry": {*_BASE, "http", "providers", "events", "config", "sharing", "server", "gateway", *_CORE},
    "admin": {*_BASE, "http", "events", "config", "gateway", "telemetry", *_CORE},
    "bridge": {
        *_BASE,
        *("http", "net", "events", "config", "sharing", "upstream", "server", "gateway", "telemetry", "admin"),
        *_CORE,
    },
    "workers": {
        *_BASE,
        *("http", "events", "config", "sharing", "server", "gateway", "telemetry", "admin", "bridge"),
        *_CORE,
    },
    "doctor": {*_BASE, "http", "net", "providers", "config", "upstream", "server", *_CORE},
    "mock": {*_BASE, "http", "server", "core.quota", "core.quota_headers"},
    "simulate": {"errors", "printable", "config", "providers", *_CORE},
    "top": {*_BASE, "config", "admin", "core.adaptive"},
    # The demo's callers retry as the simulator's data says.
    "demo": {*_BASE, "config", "server", "admin", "bridge", "mock", "simulate", "top"},
    "cli": {
        *_BASE,
        *(
            "config",
            "providers",
            "server",
            "admin",
            "bridge",
            "workers",
            "doctor",
            "mock",
            "simulate",
            "top",
            "demo",
        ),
    },
    "__main__": {"process", "cli"},
}
# Test files that mirror no module.
OTHER_TESTS = {
    "real",
    "whole",
    "bench",
    "packaging",
    "test_house.py",
    "test_docs.py",
    "test_docs_commands.py",
    "test_docs_prose.py",
}
LONGEST_FILE = 300


def name_of(file: Path) -> str:
    """Return the dotted name of a module."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


NAMES = frozenset(map(name_of, FILES))


@cache
def tree_of(file: Path) -> ast.Module:
    """Return a file's syntax."""
    return ast.parse(file.read_text())


@cache
def imports_of(file: Path, *, everywhere: bool) -> set[str]:
    """Return the modules that a file imports: at its top when it is run, or everywhere in it."""
    nodes = ast.walk(tree_of(file)) if everywhere else iter(tree_of(file).body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            ours = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= ours or {node.module}
    return found


def wing_of(module: str) -> str:
    """Return the wing of a module's dotted name; "" for the package itself, which holds the version."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[:1] == ["core"] else ".".join(parts[:1])


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_a_wing_imports_only_what_is_below_it(wing: str) -> None:
    """Imports between wings follow the table, and the table has no circle: a wing imports only wings above it."""
    order = list(WINGS)
    assert WINGS[wing] <= set(order[: order.index(wing)])
    for file in FILES:
        if wing_of(name_of(file)) != wing:
            continue
        for module in imports_of(file, everywhere=True):
            if module.partition(".")[0] == "aibridge_trio":
                assert wing_of(module) in WINGS[wing] | {wing, ""}, f"{file.relative_to(PACKAGE)} imports {module}"


def test_every_module_is_in_a_wing() -> None:
    """The table names all wings there are."""
    assert {wing_of(name_of(file)) for file in FILES} - {"", "core"} == set(WINGS)


def test_pure_wings_have_no_clock_and_no_io() -> None:
    """core/ and http/ import neither clocks nor anything that opens files or sockets; their clock is passed in."""
    impure = {"time", "socket", "os", "random", "datetime", "pathlib", "ssl", "trio"}
    for folder in ("core", "http"):
        for file in (PACKAGE / folder).rglob("*.py"):
            assert not imports_of(file, everywhere=True) & impure, file.relative_to(PACKAGE)


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_each_library_is_imported_in_few_places(library: str) -> None:
    """Only the listed modules, or wings, import a library."""
    for file in FILES:
        used = {module for module in imports_of(file, everywhere=True) if module.partition(".")[0] == library}
        name = name_of(file).removeprefix("aibridge_trio.")
        assert not used or {name, name.partition(".")[0]} & LIBRARIES[library], f"{name} uses {library}"


def test_no_circles() -> None:
    """No module imports itself through other modules, however many they are."""
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


def files_that_test(file: Path) -> list[Path]:
    """Return the test files of a module: `a/b.py` has `tests/a/test_b.py`, or several named `test_b_*.py`.

    A package's own are in its folder and have its name: `tests/a/test_a.py`.
    """
    place = ROOT / "tests" / file.relative_to(PACKAGE if PACKAGE in file.parents else ROOT).parent
    name = file.parent.name if file.stem == "__init__" else file.stem
    return [*place.glob(f"test_{name}.py"), *place.glob(f"test_{name}_*.py")]


def modules() -> list[Path]:
    """Return the files that tests mirror: the package's and the tools'."""
    return [*FILES, *sorted((ROOT / "tools").rglob("*.py"))]


def test_tests_mirror_the_package() -> None:
    """Each module has a test file at the same place, named after it."""
    names = {
        name_of(file).removeprefix("aibridge_trio.")
        for file in modules()
        if not file.stem.startswith("__") and not files_that_test(file)
    }
    assert not names


def test_every_test_file_is_named_after_a_module() -> None:
    """In the folders that mirror the package; OTHER_TESTS are not in them."""
    mirrored = {test for file in modules() for test in files_that_test(file)}
    for test in (ROOT / "tests").rglob("test_*.py"):
        place = test.relative_to(ROOT / "tests").parts[0]
        assert test in mirrored or place in OTHER_TESTS, test.relative_to(ROOT)


def test_no_file_is_too_long() -> None:
    """A file that needs a table of contents is two files."""
    for file in TIDY:
        assert len(file.read_text().splitlines()) <= LONGEST_FILE, file


def test_no_vague_names() -> None:
    """A module is named for what is in it."""
    assert not {file.stem for file in TIDY} & {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def test_every_test_states_a_law() -> None:
    """Every test has a docstring, which says what a failure of the test means."""
    for file in (ROOT / "tests").rglob("test_*.py"):
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
    extras = [requirement for each in project["optional-dependencies"].values() for requirement in each]
    for requirement in [*project["dependencies"], *extras]:
        places = [number for number, line in enumerate(lines) if f'"{requirement}"' in line]
        assert places
        assert all("#" in lines[at] or lines[at - 1].lstrip().startswith("#") for at in places), requirement
