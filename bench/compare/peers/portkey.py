"""Portkey's gateway on Node.js; which provider it goes to, each request says."""

from __future__ import annotations

import json
from pathlib import Path

from bench.compare.peers import Launch, Peer, Place, find
from bench.compare.traffic import Header


def peer() -> Peer | None:
    """Return Portkey's gateway, if it is installed."""
    executable = find("gateway", "portkey/node_modules/.bin")
    if executable is None:
        return None
    # build/start-server.js, two floors below the package's own description.
    package = Path(executable).resolve().parents[1] / "package.json"
    version = json.loads(package.read_text())["version"] if package.exists() else "unknown"
    return Peer(
        name="portkey",
        executable=executable,
        version=version,
        launch=_launch,
        headers=_headers,
        crowd=1000,
        slow=True,
    )


def _launch(program: str, place: Place) -> Launch:
    return Launch((program, f"--port={place.port}", "--headless"), environment={"NODE_ENV": "production"})


def _headers(place: Place) -> tuple[Header, ...]:
    return (
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", f"http://127.0.0.1:{place.provider}/v1"),
    )
