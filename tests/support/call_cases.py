"""What is measured in calls: requests, rejects and events, each at work on a bridge of its own.

    python -m tests.support.call_cases

measures all of them by this Python, and prints a table. tests/whole/test_call_budget.py has their budgets.
"""

from __future__ import annotations

import math
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aibridge_trio.config.caller_tokens import token_hash
from bench.compare import traffic
from tests.support.call_counts import EVENT, USAGE_NULL, CountedBridge, SteppedProvider, counted_bridge
from tests.support.known_callers import DEV
from tests.support.processes import CHAT
from tests.support.redis_servers import running

PROTECTIONS = ("--max-concurrency", "10000", "--rate-limit", "100000", "--circuit-breaker")
# So many connections in lockstep.
TOGETHER = 32
_FEW, _MANY = 32, 224
# One request at a time depends on the machine's turns a little.
_RUNS_ALONE, _RUNS_TOGETHER = 5, 3
# Of a budget above what was measured: a busy machine adds some turns.
_MARGIN = 1.03
# What known callers, keys, routes, token limits and the adaptive limiter add.
_EVERYTHING = """
max_concurrency = 10000
max_concurrency_per_caller = 5000
max_concurrency_per_provider = 5000
queue_size = 100
rate_limit = 100000
circuit_breaker = true
circuit_breaker_scope = "model"
circuit_breaker_models = ["gpt-*"]
circuit_breaker_slow_first_byte = "30s"
circuit_breaker_ramp = "5s"
max_duration = "10m"
adaptive = true
state_file = "{folder}/state"

[classes.people]
max_concurrency = 2000
rate_limit = 90000
token_rate_limit = "100000000000/m"

[[callers]]
name = "dev-07"
class = "people"
token_sha256 = "{token}"
expires = 2099-12-31
models = ["gpt-*"]
budget = {{ tokens = 1000000000000, per = "month" }}

[providers.openai]
max_concurrency = 4000
keys = [{{ file = "{folder}/key-1", weight = 3 }}, {{ file = "{folder}/key-2" }}]

[providers.spare]
dialect = "openai"
base_url = "http://127.0.0.1:1/v1"
key = "none"

[[routes]]
model = "gpt-*"
providers = ["openai", "spare"]
"""


@dataclass
class Work:
    """Something to do again and again on a bridge; `times` how many requests or events it is."""

    bridge: CountedBridge
    once: Callable[[], object]
    times: int = 1


def calls(work: Work) -> float:
    """Return the calls of one request or event of this work: the difference of two runs."""
    few, many = _FEW // work.times, _MANY // work.times
    for _ in range(few):
        work.once()
    return (_fewest(work, many) - _fewest(work, few)) / ((many - few) * work.times)


def _fewest(work: Work, times: int) -> int:
    """Return the fewest calls of a few runs: timers, and turns of a busy machine, only add some."""
    counts = []
    for _ in range(_RUNS_ALONE if work.times == 1 else _RUNS_TOGETHER):
        before = work.bridge.calls()
        for _ in range(times):
            work.once()
        counts.append(work.bridge.calls() - before)
    return min(counts)


@contextmanager
def _asked(
    folder: Path,
    arguments: tuple[str, ...],
    together: int,
    statuses: tuple[int, ...] = (200,),
    key: str = traffic.KEY,
) -> Iterator[Work]:
    """Requests that are answered with one of these statuses."""
    provider = SteppedProvider(lockstep=together if statuses == (200,) else 1)
    with counted_bridge(folder, provider, arguments) as bridge:
        path = CHAT if key == traffic.KEY else CHAT.removeprefix("/openai")  # where a model route decides
        request = traffic.request(bridge.port, path, stream=False).replace(traffic.KEY.encode(), key.encode())

        def once() -> None:
            answers = [bridge.ask(request)] if together == 1 else bridge.ask_together(request, together)
            assert {int(answer.split()[1]) for answer in answers} <= {*statuses}, answers

        yield Work(bridge, once, together)


def unary(folder: Path, together: int = 1) -> AbstractContextManager[Work]:
    """With a limit, a rate, a breaker, metrics and a line of log."""
    return _asked(folder, PROTECTIONS, together)


def everything(folder: Path, together: int = 1) -> AbstractContextManager[Work]:
    """The same with known callers, token limits, a budget, keys, a model route, a queue, the adaptive limiter."""
    for number in (1, 2):
        (folder / f"key-{number}").write_text(f"sk-central-{number}-0123456789")
    config = folder / "aibridge.toml"
    config.write_text(_EVERYTHING.format(folder=folder, token=token_hash(DEV.encode())))
    return _asked(folder, ("--config", str(config)), together, key=DEV)


@contextmanager
def stored(folder: Path, together: int = 1) -> Iterator[Work]:
    """The first one with the limits in a store."""
    with running() as server, _asked(folder, (*PROTECTIONS, "--store", server.url), together) as work:
        yield work


@contextmanager
def event(folder: Path, more: bytes = b"") -> Iterator[Work]:
    """Each in a piece of its own, as providers send them."""
    provider = SteppedProvider(EVENT % more)
    with counted_bridge(folder, provider, PROTECTIONS) as bridge:
        bridge.connection.sendall(traffic.request(bridge.port, CHAT, stream=True))
        bridge.receive(b"\r\n\r\n")

        def once() -> None:
            provider.step.release()
            bridge.receive(b"\n\n\r\n")

        yield Work(bridge, once)


@contextmanager
def capacity(folder: Path, together: int = 1) -> Iterator[Work]:
    """The cheapest reject: no hash, no rate."""
    arguments = ("--max-concurrency", "1", *PROTECTIONS[2:])
    with _asked(folder, arguments, together, (503,)) as work, socket.socket() as other:
        other.connect(("127.0.0.1", work.bridge.port))
        other.sendall(traffic.request(work.bridge.port, CHAT, stream=True))
        other.recv(1)
        yield work


@contextmanager
def rate_limit(folder: Path, together: int = 1) -> Iterator[Work]:
    """What a caller that does not heed its limit costs; once a second a request is served."""
    arguments = (*PROTECTIONS[:2], "--rate-limit", "1", *PROTECTIONS[4:])
    with _asked(folder, arguments, together, (429, 200)) as work:
        yield work


@contextmanager
def circuit_open(folder: Path, together: int = 1) -> Iterator[Work]:
    """What an outage costs."""
    with _asked(folder, PROTECTIONS, together, (503,)) as work:
        order = urllib.request.Request(
            f"http://127.0.0.1:{work.bridge.admin}/breakers/openai",
            data=b'{"mode": "open"}',
            method="POST",
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(order, timeout=10).close()
        yield work


CASES: dict[str, Callable[[Path], AbstractContextManager[Work]]] = {
    "unary": unary,
    "event": event,
    "event with usage: null": partial(event, more=USAGE_NULL),
    "capacity": capacity,
    "rate_limit": rate_limit,
    "circuit_open": circuit_open,
    "everything": everything,
    "store": stored,
    "store, 32 at once": partial(stored, together=TOGETHER),
    "unary, 32 at once": partial(unary, together=TOGETHER),
    "capacity, 32 at once": partial(capacity, together=TOGETHER),
    "rate_limit, 32 at once": partial(rate_limit, together=TOGETHER),
    "circuit_open, 32 at once": partial(circuit_open, together=TOGETHER),
    "everything, 32 at once": partial(everything, together=TOGETHER),
}


def main(names: list[str]) -> None:
    """Print the calls of each case, or of those that are named, and the budget that fits."""
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder, CASES[name](Path(folder)) as work:
            found = calls(work)
            sys.stdout.write(f'{found:>8.1f}  "{name}": {{{sys.version_info[1]}: {math.ceil(found * _MARGIN)}}}\n')
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
