"""Clients of other makers, as scripts/real-clients installs them. They reach nothing but loopback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.processes import PATIENCE
from tests.support.shells import needed

# Where scripts/real-clients installs them.
PACKAGES = Path(__file__).parents[2] / "build" / "real_clients" / "node_modules"
# Variables that keep Claude Code from calling anything but its provider.
QUIET_CLAUDE = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
# A proxy on which nothing listens, for every host but the bridge's.
LOOPBACK_ONLY = {
    name: value
    for names, value in (
        (("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
        (("no_proxy",), "127.0.0.1"),
    )
    for each in names
    for name in (each, each.upper())
}


def ran(command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a client to its end, with a folder of its own as its home."""
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)} | LOOPBACK_ONLY | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=12 * PATIENCE,
        check=False,
    )


def installed(name: str) -> str:
    """Return the path of a client; without it the test is skipped, but in CI it fails."""
    return needed(str(PACKAGES / ".bin" / name))
