"""The locks that CI and the binary are built from."""

from __future__ import annotations

import importlib.metadata
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def plain(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def locked(name: str) -> dict[str, tuple[str, int]]:
    """Return version and number of hashes of each package in a lock."""
    text = (ROOT / "packaging" / f"{name}.lock").read_text().replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        match = re.match(r"([\w.-]+)==([\w.+!-]+)(?: ;[^#]*?)?\s+--hash", line)
        assert match, line
        found[plain(match[1])] = match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line))
    return found


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, to be compared."""
    return tuple(map(int, re.findall(r"\d+", version)))


UNUSED = runpy.run_path(str(ROOT / "packaging" / "unused.py"))
# Of the lock, what is for other systems or other Pythons than this one.
FOREIGN = {"cffi", "pycparser"} | ({"backports-zstd"} if sys.version_info >= (3, 14) else set())


NEEDED = {
    "requirements": PROJECT["project"]["dependencies"],
    "dev": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"],
    "build": PROJECT["build-system"]["requires"],
}


@pytest.mark.parametrize("lock", NEEDED)
def test_a_lock_has_what_is_needed(lock: str) -> None:
    """Each requirement of pyproject.toml is in its lock, with a version that it allows and with hashes."""
    for requirement in NEEDED[lock]:
        match = re.match(r"([\w.-]+)([<>=,\d.]*)", requirement)
        assert match
        version, hashes = locked(lock)[plain(match[1])]
        assert hashes, requirement
        for bound in filter(None, match[2].split(",")):
            low = bound.startswith(">=")
            assert low or bound.startswith("<"), requirement
            limit = numbers(bound)
            assert (numbers(version) >= limit) if low else (numbers(version) < limit), requirement


def test_what_is_tested_is_what_is_built() -> None:
    """The program's packages have the same versions in CI's environment and in the binary."""
    dev = locked("dev")
    assert {name: each[0] for name, each in locked("requirements").items()} == {
        name: dev[name][0] for name in locked("requirements")
    }


def test_ci_and_the_binary_use_the_locks() -> None:
    """And nothing without a hash, from pip's point of view."""
    assert "--require-hashes -r packaging/dev.lock" in (ROOT / ".ci" / "run").read_text()
    build = (ROOT / "packaging" / "build.py").read_text()
    installs = re.findall(r"run\(\*pip, .*", build)
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-deps" in each for each in installs)


def test_the_binarys_list_names_what_is_in_it() -> None:
    """Every package with version, hash and license, in CycloneDX's words."""
    report = {
        "install": [
            {
                "download_info": {"archive_info": {"hashes": {"sha256": "ab" * 32}}},
                "metadata": {"name": "Trio_X", "version": "1.2", "license_expression": "MIT OR Apache-2.0"},
            },
            {
                "download_info": {"archive_info": {"hashes": {"sha256": "cd" * 32}}},
                "metadata": {
                    "name": "old",
                    "version": "3",
                    "classifier": ["License :: OSI Approved :: MIT License"],
                },
            },
            {"download_info": {}, "metadata": {"name": "bare", "version": "4"}},
        ]
    }
    document = runpy.run_path(str(ROOT / "packaging" / "sbom.py"))["sbom"](report, "0.1.0")
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert document["metadata"]["component"]["version"] == "0.1.0"
    python, bare, old, trio = document["components"]
    assert python["name"] == "cpython"
    assert trio == {
        "type": "library",
        "bom-ref": "pkg:pypi/trio-x@1.2",
        "name": "trio-x",
        "version": "1.2",
        "purl": "pkg:pypi/trio-x@1.2",
        "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }
    assert old["licenses"] == [{"license": {"id": "MIT"}}]
    assert "licenses" not in bare
    assert len({each["bom-ref"] for each in document["components"]}) == 4


def shipped() -> list[importlib.metadata.Distribution]:
    """Return the packages that are in the binary, as they are installed here."""
    names = sorted(set(locked("requirements")) - FOREIGN - set(UNUSED["PACKAGES"]))
    return [importlib.metadata.distribution(name) for name in names]


# Expressions of https://spdx.org/licenses/, which were read before the binary was shipped.
SPDX = {
    *("MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "PSF-2.0", "Python-2.0"),
    *("MIT OR Apache-2.0", "Apache-2.0 AND BSD-2-Clause", "Apache-2.0 OR BSD-2-Clause"),
}


def test_the_binarys_list_keeps_to_the_rules_of_cyclonedx(tmp_path: Path) -> None:
    """For the packages that are shipped, and a library: https://cyclonedx.org/docs/1.6/json/ and purl's rules."""
    (tmp_path / "libssl.so.3").write_bytes(b"x")
    make = runpy.run_path(str(ROOT / "packaging" / "sbom.py"))["sbom"]
    report: dict[str, Any] = {
        "install": [
            {
                "download_info": {"archive_info": {"hashes": {"sha256": "ab" * 32}}},
                "metadata": {**each.metadata.json, "license_expression": each.metadata["License-Expression"]},
            }
            for each in shipped()
        ]
    }
    document = make(report, "0.1.0", {"libssl.so.3": tmp_path / "libssl.so.3"})
    assert document == make(report, "0.1.0", {"libssl.so.3": tmp_path / "libssl.so.3"}), (
        "the same build, the same list"
    )
    assert make(report, "0.1.1")["serialNumber"] != document["serialNumber"]
    assert set(document) == {
        *("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components")
    }
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", document["serialNumber"])
    components = [document["metadata"]["component"], *document["components"]]
    assert len({each["bom-ref"] for each in components}) == len(components)
    for each in components:
        assert each["name"]
        assert each["type"] in {"application", "platform", "library"}
        if each["bom-ref"].startswith("pkg:"):
            assert each["purl"] == each["bom-ref"]
            assert re.fullmatch(r"pkg:(pypi|generic)/[a-z0-9-]+@[\w.+-]+", each["purl"])
            said = [one.get("expression") or one["license"].get("id") for one in each["licenses"]]
            assert len(said) == 1
            assert said[0] in SPDX, each
        if each["type"] == "library":
            assert [one["alg"] for one in each["hashes"]] == ["SHA-256"]
            assert re.fullmatch("[0-9a-f]{64}", each["hashes"][0]["content"])


# Without what is left out: imports all of the program, and makes what it makes only when asked.
IMPORTS_ALL = """
import importlib, json, pkgutil, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
import aibridge_trio
for each in pkgutil.walk_packages(aibridge_trio.__path__, "aibridge_trio."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
import httpx
httpx.AsyncHTTPTransport(proxy="http://127.0.0.1:1")
aibridge_trio.http.decompression.ZstdDecompressor()
# What server.server imports when it serves an ASGI application that is not ours.
import hypercorn.app_wrappers, hypercorn.config, hypercorn.trio.lifespan
sys.argv = ["aibridge", "serve", "--help"]
sys.stdout = sys.stderr
from aibridge_trio.__main__ import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.__stdout__)
"""


def test_what_is_shipped_is_what_is_used(tmp_path: Path) -> None:
    """The program runs without what the binary leaves out, and imports some of each package that is in it."""
    modules = importlib.metadata.packages_distributions()
    missing = {
        name for name, owners in modules.items() if {plain(owner) for owner in owners} & set(UNUSED["PACKAGES"])
    }
    for package in ("hypercorn", "httpcore", "httpx", "rich", "anyio", "coredis"):
        source = Path(str(importlib.metadata.distribution(package).locate_file(package)))
        shutil.copytree(source, tmp_path / package)
    files = [each for each in tmp_path.rglob("*.py") if UNUSED["FILES"].match(str(each.relative_to(tmp_path)))]
    assert len(files) > 20
    for each in files:
        each.unlink()
    for name in UNUSED["CHANGES"]:
        (tmp_path / name).write_text(UNUSED["changed"](name, (tmp_path / name).read_text()))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_ALL.format(missing=missing)],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    imported = {plain(owner) for name in json.loads(done.stdout) for owner in modules.get(name, ())}
    assert {plain(each.name) for each in shipped()} <= imported
    assert not imported & set(UNUSED["PACKAGES"])


def test_a_package_that_is_not_needed_any_more_is_not_left_out() -> None:
    """The list of what is left out names only packages of the lock, and takes nothing else out of it."""
    lock = (ROOT / "packaging" / "requirements.lock").read_text()
    left = set(re.findall(r"^([\w.-]+)==", UNUSED["locked"](lock), re.MULTILINE))
    assert left == set(locked("requirements")) - set(UNUSED["PACKAGES"])
    with pytest.raises(AssertionError, match="PACKAGES"):
        UNUSED["locked"](lock.replace("wsproto==", "other=="))
