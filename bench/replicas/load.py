"""Replicas that ask the store beside the bridge that is measured: a program of its own, and a hold on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.compare.lab import Lab
from bench.compare.process import Failed, Process, python

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Done:
    """What the replicas asked for: asks, seconds, the middle of an ask's time, and asks without an answer."""

    asks: float
    seconds: float
    p50_ms: float
    late: float


class Load:
    """So many replicas, which ask for requests of so many callers; they end with the context."""

    def __init__(self, lab: Lab, store: str, *, replicas: int, callers: int) -> None:
        self._process = Process(
            [python(), "-m", "bench.replicas.asking", store, str(replicas), str(callers)],
            cores=lab.load_cores,
            log=lab.scratch / f"replicas-{replicas}.log",
            folder=_ROOT,
            talk=True,
        )

    def __enter__(self) -> Self:
        self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def fill(self) -> None:
        """Ask once for each caller."""
        self._say("fill")
        self._read()

    def begin(self) -> None:
        """Ask from now on, each replica 20 times a second."""
        self._say("begin")
        self._read()

    def end(self) -> Done:
        """Ask no more; return what was done."""
        self._say("end")
        return Done(**self._read())

    def _say(self, word: str) -> None:
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the replicas ended: {self._process.last_words()}")
        found: dict[str, float] = json.loads(line)
        return found
