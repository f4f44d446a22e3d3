"""The closed loop: `wrk`, N requests in flight, each sent when the one before it is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.compare import traffic
from bench.compare.process import Failed

PROGRAM = "wrk"


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop came to: requests, seconds, latencies in milliseconds, answers above 399, broken connections."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int

    def check(self) -> None:
        """Raise Failed unless all requests were served."""
        if self.refused or self.broken or not self.requests:
            raise Failed(f"{self.refused} refused and {self.broken} broken of {self.requests}")


def installed() -> bool:
    """Tell whether there is a wrk."""
    return shutil.which(PROGRAM) is not None


def run(
    port: int,
    path: str,
    *,
    in_flight: int,
    seconds: float,
    scratch: Path,
    headers: tuple[traffic.Header, ...] = (),
    size: int = 0,
    tls: bool = False,
) -> Loop:
    """Run a loop of unary requests against a proxy on this machine; wrk's durations are whole seconds.

    `size` is that of a request's body, if it shall be longer than usual.
    """
    script = scratch / "wrk.lua"
    script.write_text(lua(headers, size))
    done = subprocess.run(
        [
            PROGRAM,
            *("-t", "1", "-c", str(in_flight), "-d", f"{max(1, round(seconds))}s", "--timeout", "20s"),
            *("-s", str(script), f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Loop(
        requests=found["requests"],
        seconds=found["us"] / 1e6,
        p50=found["p50"] / 1e3,
        p99=found["p99"] / 1e3,
        refused=found["refused"],
        broken=found["broken"],
    )


def lua(headers: tuple[traffic.Header, ...], size: int = 0) -> str:
    """Return wrk's script: the request, and the counts as a line of JSON at the end."""
    lines = ['wrk.method = "POST"', f"wrk.body = {_quote(traffic.body(stream=False, size=size).decode())}"]
    lines += [f"wrk.headers[{_quote(name)}] = {_quote(value)}" for name, value in (*traffic.HEADERS, *headers)]
    return "\n".join(lines) + _DONE


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_DONE = """
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""
