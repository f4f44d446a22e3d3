"""The locks that CI and the binary are built from."""

from __future__ import annotations

import re
import runpy
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
    assert old["licenses"] == [{"license": {"name": "MIT License"}}]
    assert "licenses" not in bare
    assert len({each["bom-ref"] for each in document["components"]}) == 4
