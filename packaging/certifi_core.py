"""Inside the binary: certifi.core, whose own would unpack the certificates into a temporary file.

That file would need a place to be written to, and a killed process would leave it behind.
"""

# ruff: noqa: INP001 - a file of the binary, no package

from functools import cache
from pkgutil import get_data

from aibridge_boot import memory_file


def contents() -> str:
    """Return the certificates."""
    return _pem().decode("ascii")


@cache
def where() -> str:
    """Return the name of a file with the certificates; it is there as long as this process."""
    return f"/proc/self/fd/{memory_file(_pem())}"


def _pem() -> bytes:
    pem = get_data("certifi", "cacert.pem")
    assert pem
    return pem
