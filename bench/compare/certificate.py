"""A certificate for this machine, made by `openssl`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.compare.process import Failed


def make(file: Path) -> Path:
    """Write a certificate for 127.0.0.1, signed by itself, and its key (PEM) to a file; return the file.

    The key is what most servers have today: ECDSA with P-256. Raises Failed without `openssl`.
    """
    if shutil.which("openssl") is None:
        raise Failed("needs `openssl`, which is not installed")
    key = file.with_suffix(".key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "30", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + key.read_text())
    return file
