"""What is in the binary, as a CycloneDX 1.6 document.

Python and each package, with version, hash and license; and the system's libraries that are linked in or carried
along.
"""

# ruff: noqa: INP001 - beside a script

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import uuid
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

# What packages of before PEP 639 call their licenses, and how https://spdx.org/licenses/ names them. "BSD License"
# is not here: it may be any of three.
_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "MIT": "MIT",
    "MIT License": "MIT",
    "MIT OR Apache-2.0": "MIT OR Apache-2.0",
    "MPL-2.0": "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def sbom(report: dict[str, Any], version: str, libraries: dict[str, Path] | None = None) -> dict[str, Any]:
    """Return the document for what pip reports to have installed (`pip install --report`), and for libraries.

    Format: https://cyclonedx.org/docs/1.6/json/. It has no time, and its serial number is made from its content,
    so that the same build gives the same document.
    """
    packages = sorted(map(_component, report["install"]), key=lambda each: str(each["purl"]))
    python = platform.python_version()
    document: dict[str, Any] = {
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
            *(_library(name, file) for name, file in sorted((libraries or {}).items())),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return document | {"serialNumber": number.urn}


def write(report: Path, site: Path, libraries: dict[str, Path], version: str, to: Path) -> None:
    """Write the document for a report of pip's on what it put into `site`, and for the system's libraries."""
    installed = json.loads(report.read_text())
    expressions = {each.name: each.metadata["License-Expression"] for each in distributions(path=[str(site)])}
    for each in installed["install"]:  # older pips leave it out
        each["metadata"].setdefault("license_expression", expressions.get(each["metadata"]["name"]))
    names = {each["metadata"]["name"] for each in installed["install"]}
    assert names == set(expressions) - {"aibridge-trio"}, "what pip reports isn't what is there"
    to.write_text(json.dumps(sbom(installed, version, libraries), indent=2) + "\n")


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


def _library(name: str, file: Path) -> dict[str, Any]:
    """Return the component for a library of the system's: on Debian with the package that it comes from."""
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
    }
    if shutil.which("dpkg-query"):
        # Where /lib is a link to /usr/lib, the package may know the file by either name.
        place = str(file.resolve())
        told = _said("dpkg-query", "-S", place) or _said("dpkg-query", "-S", place.removeprefix("/usr"))
        owner = told.partition(": ")[0]
        version = owner and _said("dpkg-query", "-W", "-f", "${Version}", owner)
        if version:
            package, _, architecture = owner.partition(":")
            system = platform.freedesktop_os_release()["ID"]
            purl = f"pkg:deb/{system}/{quote(package)}@{quote(version, safe=':~')}"
            component |= {"version": version, "purl": f"{purl}?arch={architecture}" if architecture else purl}
    return component


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - ours


def _licenses(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an SPDX expression (PEP 639), or what the older fields say, where it can be in SPDX's words."""
    if expression := metadata.get("license_expression") or _SPDX.get(metadata.get("license", "")):
        return [{"expression": expression}]
    kinds = [each for each in metadata.get("classifier", ()) if each.startswith("License ::")]
    names = [each.rpartition(" :: ")[2] for each in kinds] or [metadata.get("license", "").partition("\n")[0]]
    return [{"license": {"id": _SPDX[name]} if name in _SPDX else {"name": name}} for name in names if name]
