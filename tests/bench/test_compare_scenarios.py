"""TLS, usage, long prompts, new connections, and what the targets need of all that is measured."""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.compare import certificate, interpreter, plan, report, traffic, wrk
from bench.compare.__main__ import main
from bench.compare.behaviour import Behaviour
from bench.compare.lab import Lab, free_port
from bench.compare.newcomers import Newcomers
from bench.compare.peers import TLS, Launch, Peer, Place, aibridge, envoy
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings
from bench.compare.running import Running
from bench.compare.scenarios import events, prompts
from bench.compare.scripted import ScriptedProvider
from bench.compare.targets import DATA_PATH, Bound, Row, Verdict, judge, to_peer

PATH = "/v1/chat/completions"


@pytest.mark.parametrize("usage", [True, False])
def test_streams_have_usage_if_it_is_asked_for(usage: bool) -> None:
    """Then each event has the field, and the one before the end has the numbers; otherwise nothing has it."""
    asked = json.loads(traffic.request(1, PATH, stream=True, usage=usage).partition(b"\r\n\r\n")[2])
    assert ("stream_options" in asked) == usage
    assert (b'"usage":null' in traffic.stream_event(usage=usage)) == usage
    assert (b'"total_tokens":379' in traffic.stream_end(usage=usage)) == usage
    assert traffic.whole(
        traffic.stream_head() + traffic.stream_event(usage=usage) + traffic.stream_end(usage=usage)
    )


def test_a_prompt_has_the_size_that_is_asked_for() -> None:
    """To the byte, if it is longer than usual; in wrk's script too."""
    usual = traffic.body(stream=False)
    assert len(traffic.body(stream=False, size=prompts.SIZE)) == prompts.SIZE > len(usual)
    assert traffic.body(stream=False, size=10) == usual
    assert len(wrk.lua((), prompts.SIZE)) > prompts.SIZE > len(wrk.lua(()))


PLACE = Place(8001, 8002, 8003, Path("/lab"))


def placed(*, front: bool, behind: bool) -> Place:
    """Return a place with TLS at these sides."""
    return Place(8001, 8002, 8003, Path("/lab"), TLS(Path("/lab/own.pem"), front=front, behind=behind))


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("behind", [True, False])
def test_tls_is_where_the_place_has_it(front: bool, behind: bool) -> None:
    """The bridge and Envoy alike: a certificate for callers, and one by which the provider is verified."""
    place = placed(front=front, behind=behind)
    argv = aibridge.peer("/bin/true").launch("aibridge", place).argv
    assert ("--tls-cert" in argv) == ("--tls-key" in argv) == front
    assert ("https://127.0.0.1:8003/v1" in argv) == ("--upstream-ca" in argv) == behind
    written = envoy._launch("envoy", place).files["envoy.json"]
    assert ("DownstreamTlsContext" in written) == front
    assert ("UpstreamTlsContext" in written) == ("trusted_ca" in written) == behind


def test_a_python_is_described_with_how_it_was_built(tmp_path: Path) -> None:
    """A script's, by its first line; a program that is none has no Python to tell of."""
    script = tmp_path / "aibridge"
    script.write_text(f"#!{sys.executable}\n")
    version = sys.version.partition(" ")[0]
    assert interpreter.described(str(script)) in {
        f"Python {version} built {how} PGO" for how in ("with", "without")
    }
    script.write_bytes(b"\x7fELF")
    assert interpreter.described(str(script)) == ""
    script.write_text("#!/bin/echo\n")
    assert interpreter.described(str(script)) == ""


def test_what_has_no_limit_is_shown_and_not_judged() -> None:
    """It is no goal that is met."""
    row = Row("CPU", (Bound(to_peer("cpu", "envoy"), "{} × Envoy"),))
    readings = Readings([Reading("ours", "cpu", 20), Reading("envoy", "cpu", 10)])
    [judged] = judge(readings, "ours", [row])
    assert (judged.measured, judged.verdict) == ("2 × Envoy", Verdict.UNBOUND)


def test_a_reject_is_judged_by_envoys_served_request() -> None:
    """Not by the bridge's own: what is served for less must not make rejects dearer."""
    readings = Readings(
        [
            Reading("ours", "cpu_us_per_rate_limit", 30),
            Reading("ours", "cpu_us_per_served", 300),
            Reading("envoy", "cpu_us_per_served", 40),
        ]
    )
    [judged] = [each for each in judge(readings, "ours", DATA_PATH) if "reject" in each.what]
    assert (judged.measured, judged.verdict) == ("0.75 × Envoy (`rate_limit`)", Verdict.MUST)


def a_run(readings: Readings) -> report.Run:
    """Return a finished run of one bridge."""
    return report.Run(
        readings=readings, versions={}, bridges=["ours"], date="", command="", machine={}, notes=["smg is gone"]
    )


def test_the_verdicts_are_a_row_for_each_target_of_the_data_path() -> None:
    """Measured or not, and what did not work."""
    said = report.verdicts(a_run(Readings([Reading("ours", "start_s", 0.22)])))
    assert said.count("not measured") == len(DATA_PATH) - 1
    assert "| start to first answer | ≤ 0.25 s | ≤ 0.2 s | 0.22 s | must met |" in said
    assert "note: smg is gone" in said


def test_what_the_targets_need_is_measured_for_them() -> None:
    """Each bound of the data path finds its numbers in the scenarios that `--targets` runs."""
    pace = plan.TARGETS
    assert 32 in pace.in_flight
    assert set(plan.FOR_TARGETS) < set(plan.SCENARIOS)
    assert {("streams", 10), ("streams", 5000), ("connections", 5000)} == set(pace.crowds)
    measured = [
        Reading(who, f"requests_per_s@{each}", 1) for who in ("ours", "envoy", "smg") for each in pace.in_flight
    ]
    [row] = [each for each in judge(Readings(measured), "ours", DATA_PATH) if each.what.startswith("requests/s")]
    assert row.measured == "1 × Envoy, 1 × SMG"


def test_targets_are_printed_and_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """The page is of a full run."""
    with pytest.raises(SystemExit) as end:
        main(["--targets", "--write"])
    assert end.value.code == 2
    assert "--write" in capsys.readouterr().err


class Theatre:
    """A lab in which nothing runs."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextmanager
    def run(self, peer: Peer) -> Iterator[Running]:
        yield Running(peer.name, PLACE, PATH, ())

    def straight(self) -> Running:
        return Running("straight", PLACE, PATH, ())


def test_slow_proxies_are_left_out_of_long_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of new connections, but not of the rest."""
    seen: dict[str, list[str]] = {}

    def measures(name: str) -> Callable[..., Iterator[Reading]]:
        def measure(_lab: object, running: Sequence[Running], **_: Any) -> Iterator[Reading]:
            seen[name] = [each.name for each in running]
            return iter(())

        return measure

    for name in ("prompts", "newcomers", "events"):
        monkeypatch.setattr(getattr(plan, name), "measure", measures(name))

    def launch(_program: str, _place: Place) -> Launch:
        raise AssertionError("nothing runs")

    peers = [
        Peer(name=name, executable="", version="", launch=launch, slow=name == "litellm")
        for name in ("a", "litellm")
    ]
    assert not list(plan.perform(Theatre(), peers, tuple(seen) or ("prompts", "newcomers", "events"), plan.QUICK))  # type: ignore[arg-type] # as much of a lab as is asked
    assert seen == {"events": ["a", "litellm"], "prompts": ["straight", "a"], "newcomers": ["straight", "a"]}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A certificate."""
    return certificate.make(tmp_path / "own.pem")


@pytest.mark.real
def test_the_provider_speaks_tls(own: Path, tmp_path: Path) -> None:
    """With its certificate; a prompt of many records is taken as a whole."""
    provider = ScriptedProvider(free_port(), cores=os.sched_getaffinity(0), log=tmp_path / "log", certificate=own)
    context = ssl.create_default_context(cafile=str(own))
    content = traffic.body(stream=False, size=60_000)
    head = f"POST {PATH} HTTP/1.1\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    try:
        sock = socket.create_connection(("127.0.0.1", provider.port), timeout=20)
        with context.wrap_socket(sock, server_hostname="127.0.0.1") as secure:
            for asked in (traffic.request(1, PATH, stream=False), head + content):
                secure.sendall(asked)
                answer = b""
                while not traffic.whole(answer):
                    answer += secure.recv(65536)
                assert answer == traffic.answer()
        assert provider.counts().requests == 2
    finally:
        provider.stop()


def test_a_certificate_needs_openssl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without it the run says so and goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="openssl"):
        certificate.make(tmp_path / "own.pem")


@pytest.mark.real
def test_newcomers_send_one_request_each(tmp_path: Path) -> None:
    """On a connection of its own, so many at once; one that is not served is a failure."""
    provider = ScriptedProvider(free_port(), cores=os.sched_getaffinity(0), log=tmp_path / "log")
    asked = traffic.request(provider.port, PATH, stream=False)
    try:
        provider.behave(Behaviour(service=0.005))
        with Newcomers(provider.port, asked) as callers:
            assert callers.come_and_go(40, at_once=4) >= 10 * 0.005
        assert provider.counts().requests == 40
    finally:
        provider.stop()
    with Newcomers(provider.port, asked) as callers, pytest.raises(Failed, match="refused"):
        callers.come_and_go(1, at_once=1)


@pytest.mark.real
def test_a_newcomer_that_is_turned_away_is_a_failure() -> None:
    """Its CPU would not be that of a served one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = traffic.request(1, PATH, stream=False)
        with Newcomers(listener.getsockname()[1], asked) as callers:
            callers._come()
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                with pytest.raises(Failed, match="503"):
                    callers.come_and_go(0, at_once=1)


@pytest.mark.real
def test_events_are_measured_with_and_without_usage() -> None:
    """Under a name of their own, so that neither hides the other."""
    with Lab(everywhere=True) as lab:
        found = Readings(events.measure(lab, [lab.straight()], rounds=1, seconds=0.1))
        relayed = found.values("straight", "events_per_s@50")
    assert relayed
    assert found.values("straight", "cpu_us_per_event_without_usage@50") == {0: 0.0}
