"""One request in flight: how much later the first byte comes than straight from the provider."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from time import perf_counter

from bench.lab import Lab, Running
from bench.process import Failed
from bench.provider import Behaviour
from bench.readings import Reading, percentile

# The first of a block are not counted: they find the caches full of somebody else's work.
_BLOCK, _WARM = 60, 10


def measure(lab: Lab, running: Sequence[Running], *, rounds: int, blocks: int = 8) -> Iterator[Reading]:
    """Yield the first byte's `first_byte_p50_ms` and `…_p99_ms`, and `added_p50_ms` to the straight way.

    `unary_…` is that of a unary answer, `stream_…` that of a stream whose first event is there at once.
    """
    lab.provider.behave(Behaviour(events=20))
    everyone = [lab.straight(), *running]
    for number in range(rounds):
        for kind in ("unary", "stream"):
            taken: dict[str, list[float]] = {each.name: [] for each in everyone}
            for _ in range(blocks):
                for each in everyone:
                    taken[each.name] += _block(each, stream=kind == "stream")
            straight = percentile(taken["straight"], 50)
            for name, seconds in taken.items():
                middle = percentile(seconds, 50)
                yield Reading(name, f"{kind}_first_byte_p50_ms", middle * 1e3, number)
                yield Reading(name, f"{kind}_first_byte_p99_ms", percentile(seconds, 99) * 1e3, number)
                if name != "straight":
                    yield Reading(name, f"{kind}_added_p50_ms", (middle - straight) * 1e3, number)


def _block(each: Running, *, stream: bool) -> list[float]:
    asked = each.request(stream=stream)
    end = b"0\r\n\r\n"
    taken = []
    with socket.create_connection(("127.0.0.1", each.port), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(_BLOCK):
            begun = perf_counter()
            sock.sendall(asked)
            answer = sock.recv(65536)
            taken.append(perf_counter() - begun)
            while not _complete(answer, end):
                more = sock.recv(65536)
                if not more:
                    raise Failed(f"{each.name} ended in mid-answer: {answer[:200]!r}")
                answer += more
            if not answer.startswith(b"HTTP/1.1 200"):
                raise Failed(f"{each.name}: {answer[:200]!r}")
    return taken[_WARM:]


def _complete(answer: bytes, end: bytes) -> bool:
    head, blank, content = answer.partition(b"\r\n\r\n")
    if not blank:
        return False
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    return len(content) >= int(rest.split(b"\r\n", 1)[0]) if named else content.endswith(end)
