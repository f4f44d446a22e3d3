"""SMG, a gateway in Rust, before one provider that speaks OpenAI."""

from __future__ import annotations

from bench.compare.peers import Launch, Peer, Place, find, said


def peer() -> Peer | None:
    """Return SMG, if it is installed."""
    executable = find("smg", "smg/bin")
    if executable is None:
        return None
    asked = "from importlib.metadata import version; print(version('smg'))"
    python = find("python", "smg/bin") or "python3"
    return Peer(name="smg", executable=executable, version=said(python, "-c", asked).split()[-1], launch=_launch)


def _launch(program: str, place: Place) -> Launch:
    return Launch(
        (
            *(program, "launch", "--host", "127.0.0.1", "--port", str(place.port), "--backend", "openai"),
            *("--worker-urls", f"http://127.0.0.1:{place.provider}"),
            *("--max-concurrent-requests", "10000"),
            *("--prometheus-host", "127.0.0.1", "--prometheus-port", str(place.admin)),
        )
    )
