"""What is in the binary, as a CycloneDX 1.6 document: Python, and each package with version, hash and license."""

# ruff: noqa: INP001 - beside a script

from __future__ import annotations

import json
import platform
import re
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def sbom(report: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the document for what pip reports to have installed (`pip install --report`).

    Format: https://cyclonedx.org/docs/1.6/json/. It has neither a time nor a serial number, so that the same build
    gives the same document.
    """
    packages = sorted(map(_component, report["install"]), key=lambda each: str(each["purl"]))
    python = platform.python_version()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/aibridge-trio@{version}",
                "name": "aibridge-trio",
                "version": version,
                "purl": f"pkg:pypi/aibridge-trio@{version}",
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": [
            {
                "type": "platform",
                "bom-ref": f"pkg:generic/cpython@{python}",
                "name": "cpython",
                "version": python,
                "purl": f"pkg:generic/cpython@{python}",
                "licenses": [{"license": {"id": "Python-2.0"}}],
            },
            *packages,
        ],
    }


def write(report: Path, site: Path, version: str, to: Path) -> None:
    """Write the document for a report of pip's on what it put into `site`."""
    installed = json.loads(report.read_text())
    expressions = {each.name: each.metadata["License-Expression"] for each in distributions(path=[str(site)])}
    for each in installed["install"]:  # older pips leave it out
        each["metadata"].setdefault("license_expression", expressions.get(each["metadata"]["name"]))
    to.write_text(json.dumps(sbom(installed, version), indent=2) + "\n")


def _component(installed: dict[str, Any]) -> dict[str, Any]:
    metadata = installed["metadata"]
    name, version = re.sub(r"[-_.]+", "-", metadata["name"]).lower(), metadata["version"]
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    if digest := installed.get("download_info", {}).get("archive_info", {}).get("hashes", {}).get("sha256"):
        component["hashes"] = [{"alg": "SHA-256", "content": digest}]
    if licenses := _licenses(metadata):
        component["licenses"] = licenses
    return component


def _licenses(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an SPDX expression (PEP 639), or the names that the older fields have."""
    if expression := metadata.get("license_expression"):
        return [{"expression": expression}]
    kinds = [each for each in metadata.get("classifier", ()) if each.startswith("License ::")]
    names = [each.rpartition(" :: ")[2] for each in kinds] or [metadata.get("license", "").partition("\n")[0]]
    return [{"license": {"name": name}} for name in names if name]
