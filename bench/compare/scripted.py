"""A hold on the provider's program: what it shall do from now on, and what it has done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench.compare.behaviour import Behaviour, Counts
from bench.compare.process import Failed, Process, python

_ROOT = Path(__file__).parents[2]


class ScriptedProvider:
    """A provider behind every proxy, on one port; over TLS with a `certificate` (a file, with its key)."""

    def __init__(self, port: int, *, cores: set[int], log: Path, certificate: Path | None = None) -> None:
        self.port = port
        argv = [python(), "-m", "bench.compare.provider", str(port), *([str(certificate)] if certificate else [])]
        self._process = Process(argv, cores=cores, log=log, folder=_ROOT, talk=True)
        self.counts()

    def behave(self, behaviour: Behaviour) -> None:
        """Answer like this from now on."""
        self._ask(asdict(behaviour))

    def counts(self) -> Counts:
        """Return what it has done until now."""
        return self._ask({})

    def cpu(self) -> float:
        """Return the CPU seconds it has used."""
        return self._process.cpu()

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def _ask(self, what: dict[str, object]) -> Counts:
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the provider ended: {self._process.last_words()}")
        return Counts(**json.loads(line))
