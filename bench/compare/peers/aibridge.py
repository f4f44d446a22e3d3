"""AI Bridge, with everything on: limits that are never reached, breakers, metrics, a line of log a request."""

from __future__ import annotations

from bench.compare import interpreter
from bench.compare.peers import Launch, Peer, Place, said

CONCURRENCY = ("--max-concurrency", "10000")
RATE = ("--rate-limit", "100000")
BREAKER = ("--circuit-breaker",)
# More than the default, 4,096: the silent crowd is larger.
CONNECTIONS = ("--max-connections", "8000")


def peer(
    executable: str,
    name: str = "aibridge",
    options: tuple[str, ...] = (*CONCURRENCY, *RATE, *BREAKER, *CONNECTIONS),
) -> Peer:
    """Return the bridge; `options` are its protections."""

    def launch(program: str, place: Place) -> Launch:
        scheme = "https" if place.behind else "http"
        return Launch(
            (
                *(program, "serve", "--bind", f"127.0.0.1:{place.port}"),
                *("--admin-bind", f"127.0.0.1:{place.admin}"),
                *("--openai-base-url", f"{scheme}://127.0.0.1:{place.provider}/v1"),
                *_tls(place),
                *options,
            )
        )

    return Peer(
        name=name,
        executable=executable,
        version=_version(executable),
        launch=launch,
        path="/openai/v1/chat/completions",
        ours=True,
        tls=True,
    )


def _version(executable: str) -> str:
    told = said(executable, "--version").removeprefix("aibridge ")
    python = interpreter.described(executable)
    return f"{told}, {python}" if python else told


def _tls(place: Place) -> tuple[str, ...]:
    front, behind = place.front, place.behind
    return (
        *(("--tls-cert", str(front.certificate), "--tls-key", str(front.certificate)) if front else ()),
        *(("--upstream-ca", str(behind.certificate)) if behind else ()),
    )
