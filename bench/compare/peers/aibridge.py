"""AI Bridge, with everything on: limits that are never reached, breakers, metrics, a line of log a request."""

from __future__ import annotations

from bench.compare.peers import Launch, Peer, Place, said

CONCURRENCY = ("--max-concurrency", "10000")
RATE = ("--rate-limit", "100000")
BREAKER = ("--circuit-breaker",)


def peer(
    executable: str, name: str = "aibridge", options: tuple[str, ...] = (*CONCURRENCY, *RATE, *BREAKER)
) -> Peer:
    """Return the bridge; `options` are its protections."""

    def launch(program: str, place: Place) -> Launch:
        return Launch(
            (
                *(program, "serve", "--bind", f"127.0.0.1:{place.port}"),
                *("--admin-bind", f"127.0.0.1:{place.admin}"),
                *("--openai-base-url", f"http://127.0.0.1:{place.provider}/v1"),
                *options,
            )
        )

    return Peer(
        name=name,
        executable=executable,
        version=said(executable, "--version").removeprefix("aibridge "),
        launch=launch,
        path="/openai/v1/chat/completions",
        ours=True,
    )
