"""One request in flight: how much later the first byte comes than straight from the provider."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from time import perf_counter

from bench.compare import traffic
from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings, percentile
from bench.compare.running import Running
from bench.compare.turns import in_turns

# Short turns, many of them: so short that a disturbance hits few, so many that everyone has some without.
_TURNS = 4
_REQUESTS, _SECONDS = 300, 0.8
# The first of a turn are not counted: caches hold other processes' data.
_WARM = 10


def measure(lab: Lab, running: Sequence[Running], *, rounds: int) -> Iterator[Reading]:
    """Yield the first byte's `KIND_first_byte_p50_ms`, `…_p99_ms`, and `KIND_added_p50_ms` to the straight way.

    KIND is `unary`, or `stream` for a stream whose first event is there at once.
    """
    lab.provider.behave(Behaviour(events=20))
    for kind in ("unary", "stream"):
        found = Readings(_first_bytes(lab, running, kind, rounds))
        yield from found.all
        straight = found.values("straight", f"{kind}_first_byte_p50_ms")
        for each in running:
            for number, middle in found.values(each.name, f"{kind}_first_byte_p50_ms").items():
                yield Reading(each.name, f"{kind}_added_p50_ms", middle - straight[number], number)


def _first_bytes(lab: Lab, running: Sequence[Running], kind: str, rounds: int) -> Iterator[Reading]:
    def work(each: Running, number: int) -> Iterator[Reading]:
        seconds = _turn(each, stream=kind == "stream")
        for percent in (50, 99):
            value = percentile(seconds, percent) * 1e3
            yield Reading(each.name, f"{kind}_first_byte_p{percent}_ms", value, number)

    yield from in_turns([lab.straight(), *running], rounds * _TURNS, work, lab)


def _turn(each: Running, *, stream: bool) -> list[float]:
    asked = each.request(stream=stream)
    taken: list[float] = []
    with socket.create_connection(("127.0.0.1", each.port), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = perf_counter() + _SECONDS
        while len(taken) < _REQUESTS and (perf_counter() < end or len(taken) <= _WARM):
            begun = perf_counter()
            sock.sendall(asked)
            answer = sock.recv(65536)
            taken.append(perf_counter() - begun)
            while not traffic.whole(answer):
                more = sock.recv(65536)
                if not more:
                    raise Failed(f"ended in mid-answer: {answer[:200]!r}")
                answer += more
            if not answer.startswith(b"HTTP/1.1 200"):
                raise Failed(f"answered {answer[:200]!r}")
    return taken[_WARM:]
