"""Which requests the admin listener answers; tests/admin/test_api_access.py asks a bridge."""

from __future__ import annotations

from aibridge_trio.admin.access import _host_name


def test_names_of_hosts() -> None:
    """Lower-case, without port, brackets and trailing dot."""
    assert _host_name(b"LocalHost.:4002") == "localhost"
    assert _host_name(b"[::1]:4002") == "::1"
