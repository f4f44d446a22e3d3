"""Which Python a script runs on, and whether that was built with profile-guided optimization (PGO).

A bridge on a Python without it takes about a tenth more CPU.
"""

from __future__ import annotations

from pathlib import Path

from bench.compare.peers import said

# Debian and Ubuntu build with PGO by rules of their own, and tell nothing of it in the configuration.
_ASK = """
import os, sys, sysconfig
told = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
debians = sys.base_prefix == "/usr" and os.path.exists("/etc/debian_version")
print(sys.version.split()[0], "with" if told or debians else "without")
"""


def described(script: str) -> str:
    """Return the Python of a script and how it was built, from its first line; "" for any other program."""
    with Path(script).open("rb") as file:
        first = file.readline(500)
    if not first.startswith(b"#!"):
        return ""
    version, _, pgo = said(first[2:].decode().strip(), "-c", _ASK).partition(" ")
    return f"Python {version} built {pgo} PGO" if pgo in {"with", "without"} else ""
