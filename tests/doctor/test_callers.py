"""What callers will see."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Address, Secret, Settings, UnixSocket
from aibridge_trio.doctor.callers import examine


def seen(**options: Any) -> dict[str, str]:
    """What is found, by where."""
    return {each.where: each.text for each in examine(Settings(**options))}


def test_by_default_callers_bring_keys() -> None:
    """Each provider has its base URL."""
    assert seen() == {
        "openai at http://127.0.0.1:4001/openai/v1": "with their own key",
        "anthropic at http://127.0.0.1:4001/anthropic": "with their own key",
        "copilot at http://127.0.0.1:4001/copilot": "with their own key",
        "token": "none is needed",
        "TLS": "no, and only programs on this machine connect",
        "limits": "none is on",
    }


def test_tables_routes_tls_and_limits_are_shown(tmp_path: Path) -> None:
    """Of an address that means every one, the URL has this machine's name."""
    key = KeyTable(label="key", secret=Secret("sk-hunter2"))
    found = seen(
        bind=(Address("0.0.0.0", 443), UnixSocket("/run/b")),
        tls_cert=tmp_path / "chain",
        max_concurrency=5,
        provider_tables=(
            ProviderTable(name="azure", dialect="openai", base_url="http://a/v1", keys=(key,)),
            ProviderTable(name="local", dialect="openai", base_url="http://l/v1", keyless=True),
        ),
        routes=(RouteTable(model="gpt-*", providers=("azure",)),),
    )
    host = f"https://{socket.gethostname()}:443"
    assert found[f"azure at {host}/azure/v1, unix:/run/b /azure/v1"] == "the bridge adds the key"
    assert found[f"local at {host}/local/v1, unix:/run/b /local/v1"] == "no key is needed"
    assert f"models at {host}/v1, unix:/run/b /v1" in found
    assert found["TLS"].startswith("yes")
    assert found["limits"] == "at most 5 in flight"
    assert "hunter2" not in str(found)


def test_without_tls_a_listener_off_loopback_says_what_that_means() -> None:
    """Keys cross the network in clear text."""
    assert "in clear text" in seen(bind=(Address("10.0.0.1", 80),))["TLS"]
