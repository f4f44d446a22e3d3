"""The real Prometheus beside bridges: it scrapes them each second, and evaluates a hurried copy of the alerts."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.alert_rules import hurried
from tests.support.processes import free_ports, until
from tests.support.shells import needed

# In place of minutes: how far rules look back, and how long a condition must last.
WINDOW, LASTS = "8s", "1s"
_INTERVAL = "1s"
_START = 30.0


class Prometheus:
    """One that runs, with what it says."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def query(self, expr: str, api: str = "query", **more: str) -> list[dict[str, Any]]:
        """Return the samples or series of a query; an AssertionError if it is refused."""
        answer = self._client.get(f"/api/v1/{api}", params={"query": expr, **more}).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[tuple[str, ...]]:
        """Return the alerts that fire now: job, name, and the values of their other labels."""
        return {_named(each["metric"]) for each in self.query('ALERTS{alertstate="firing"}')}

    def ever(self, job: str, seconds: int) -> set[tuple[str, ...]]:
        """Return the alerts of a job that have fired in so many seconds."""
        window = f'max_over_time(ALERTS{{alertstate="firing",job="{job}"}}[{seconds}s])'
        return {_named(each["metric"]) for each in self.query(window)}


def _named(labels: Mapping[str, str]) -> tuple[str, ...]:
    usual = {"__name__", "alertname", "alertstate", "job", "severity", "instance"}
    return labels["job"], labels["alertname"], *(labels[name] for name in sorted(labels.keys() - usual))


@contextmanager
def prometheus(targets: Mapping[str, list[str]], **seconds: str) -> Iterator[Prometheus]:
    """Run Prometheus with these targets (host and port) by job; `seconds`: see `hurried`."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "alerts.yml").write_text(hurried(WINDOW, LASTS, **seconds))
        jobs = [
            {"job_name": job, "scrape_interval": _INTERVAL, "static_configs": [{"targets": each}]}
            for job, each in targets.items()
        ]
        config = {
            "global": {
                "scrape_interval": _INTERVAL,
                "evaluation_interval": _INTERVAL,
                "scrape_timeout": _INTERVAL,
            },
            "rule_files": [str(place / "alerts.yml")],
            "scrape_configs": jobs,
        }
        (place / "prometheus.yml").write_text(json.dumps(config))
        address = f"127.0.0.1:{port}"
        flags = {
            "config.file": place / "prometheus.yml",
            "storage.tsdb.path": place / "data",
            "web.listen-address": address,
            "log.level": "error",
        }
        process = subprocess.Popen([needed("prometheus"), *(f"--{name}={value}" for name, value in flags.items())])
        try:
            with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=_START) as client:
                until(lambda: _ready(client), "a Prometheus that is ready", within=_START)
                yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(timeout=_START)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False
