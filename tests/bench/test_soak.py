"""The soak: what it makes of its samples, what it draws, and that it sees a leak."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from bench.soak import answers, asks, drift, outside, rest, table
from bench.soak.__main__ import _parser, main
from bench.soak.answers import BEHIND, INSTEAD, WITHIN, Answer
from bench.soak.asks import PROVIDERS, Visit
from bench.soak.bridge import PROTECTIONS, protections
from bench.soak.drift import DRIFTING, Sample, judge, settled, slope
from bench.soak.operator import held
from bench.soak.reader import Ended, Reader
from tests.support.processes import run

FIRST = Sample(0, 1.0, 42_000, 12, 0, 1, 31, 1_900, 190_000, 0)


def samples(requests: int = 100_000, rests: int = 10, **growth: float) -> list[Sample]:
    """Samples of a bridge of which some numbers grow by so much with each request."""
    done = [requests * each // rests for each in range(rests + 1)]
    return [
        changed(
            FIRST, requests=each, **{name: getattr(FIRST, name) + int(by * each) for name, by in growth.items()}
        )
        for each in done
    ]


def changed(sample: Sample, **numbers: Any) -> Sample:
    """A sample with other numbers."""
    return replace(sample, **numbers)


def growing(name: str, by: float, requests: int = 100_000) -> list[Sample]:
    """Samples of which one number grows by so much with each request."""
    growth: dict[str, Any] = {name: by}
    return samples(requests, **growth)


def bad(found: list[Sample]) -> list[str]:
    """Return what is bad about samples."""
    return [finding.text for finding in judge(found) if finding.bad]


# Drift


def test_the_slope_is_not_moved_by_outliers() -> None:
    """It is the line's own, though two points in nine are far from it."""
    points = [(float(x), 3.0 * x) for x in range(9)]
    points[2], points[7] = (2.0, 900.0), (7.0, -900.0)
    assert slope(points) == pytest.approx(3, rel=0.1)
    assert slope(points[:1]) == 0


def test_who_stays_as_it_was_is_well() -> None:
    """Every finding is good, and says what it has looked at."""
    findings = judge(samples())
    assert not [finding for finding in findings if finding.bad]
    assert len(findings) == 4 + 1 + 3


@pytest.mark.parametrize("name", ["descriptors", "tcp", "threads", "tasks"])
def test_one_more_than_at_the_start_is_a_leak(name: str) -> None:
    """At any rest, be it one, be it gone at the next."""
    found = samples()
    found[4] = changed(found[4], **{name: getattr(FIRST, name) + 1})
    assert len(bad(found)) == 1
    assert drift.leaked(found)
    assert not drift.leaked(samples())


@pytest.mark.parametrize(("name", "by"), [("resident", 0.05), ("objects", 0.01), ("blocks", 0.05)])
def test_growth_is_a_drift(name: str, by: float) -> None:
    """Fifty bytes a request, an object in a hundred, a block in twenty: all are seen in a long run."""
    [text] = bad(growing(name, by))
    assert text.endswith("drifts")


@pytest.mark.parametrize("name", ["resident", "objects", "blocks"])
def test_a_short_run_says_no_more_than_it_knows(name: str) -> None:
    """A growth no larger than what varies anyway is none, however steep; ten times as much is one."""
    [each] = [each for each in DRIFTING if each.of(changed(FIRST, **{name: -1})) == -1]
    grain = each.grain / 1_000
    assert not bad(growing(name, grain, 1_000))
    assert bad(growing(name, 10 * grain, 1_000))


def test_what_grows_in_the_warm_up_is_no_drift() -> None:
    """Tables fill, the allocator finds its size: the first fifth does not count, shrinking does not either."""
    found = samples()
    found[0] = replace(found[0], resident=1_000, objects=10)
    found[1] = replace(found[1], resident=20_000, objects=1_000)
    assert not bad(found)
    assert [sample.requests for sample in settled(found)] == [*range(20_000, 100_001, 10_000)]
    assert not bad(samples(resident=-0.05))


def test_what_is_held_at_rest_is_a_leak() -> None:
    """A slot, a permit, a place in a queue."""
    found = samples()
    found[3] = replace(found[3], held={"concurrency.in_flight": 1})
    assert bad(found) == ["concurrency.in_flight: 1 at rest after 30,000 requests: leaked"]


def test_the_verdict_names_what_grew() -> None:
    """The kinds of objects, those first of which there are most more; and it shows so many complaints."""
    found = [
        replace(each, kinds={"a.Small": 1 + each.requests // 100, "b.Same": 5}) for each in samples(objects=1)
    ]
    lines, well = table.verdict(found, ["one", "two", "three"], 2)
    assert not well
    assert lines[-1] == "      grew since the warm-up: a.Small 800"
    assert "      two" in lines
    assert "      three" not in lines
    assert table.verdict(samples(), [], 2)[1]


def test_rows_stand_under_their_heads() -> None:
    """However large the numbers are."""
    assert len(table.row(samples(requests=1_000_000)[-1])) == len(table.head())


# What it draws


def drawn(seed: int, number: int) -> tuple[Visit, list[Answer]]:
    """A visit, and the answers it meets."""
    visit = asks.visit(seed, number)
    return visit, [answers.answer(seed, name, ask.id) for ask in visit.asks for name in PROVIDERS]


def test_a_seed_repeats_itself() -> None:
    """The same visits meet the same answers, in whatever order they come; another seed brings others."""
    assert [drawn(7, number) for number in range(50)] == [drawn(7, number) for number in reversed(range(50))][::-1]
    assert [drawn(7, number) for number in range(50)] != [drawn(8, number) for number in range(50)]


def test_all_that_may_go_wrong_does() -> None:
    """Within 2,000 visits there is every fault of either side, and every kind of answer."""
    visits, found = zip(*(drawn(1, number) for number in range(2_000)), strict=True)
    met = [answer for each in found for answer in each]
    faults = {(visit.fault.where, visit.fault.what) for visit in visits if visit.fault}
    assert len(faults) == 4 * 4
    assert {answer.trouble for answer in met} == {None, *INSTEAD, *WITHIN, *BEHIND}
    assert {answer.framing for answer in met} == {"length", "chunks", "close"}
    assert {200, 429, 503, 529} <= {answer.status for answer in met}
    assert any(b"retry-after" in answer.fields for answer in met)
    assert any(b"overloaded_error" in piece for answer in met for piece in answer.pieces if answer.status == 200)
    assert any(answer.early for answer in met)
    assert any(answer.interim for answer in met)
    assert any(visit.pipelined for visit in visits)
    assert any(ask.malformed for visit in visits for ask in visit.asks)
    assert len({ask.head.partition(b"\r\nauthorization")[2] for visit in visits for ask in visit.asks}) > 500


def test_each_provider_has_its_bad_times() -> None:
    """The providers are overloaded one at a time; another program's request always gets a plain answer."""
    when = [[number for number in range(3_000) if answers.overloaded(name, number)] for name in PROVIDERS]
    assert all(50 < len(each) < 300 for each in when)
    assert not set(when[0]) & set(when[1]) | set(when[1]) & set(when[2])
    assert answers.answer(1, "openai", b"") == Answer(fields=b"connection: close\r\n")


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_what_is_framed_is_read(step: int) -> None:
    """Bodies counted and chunked come out as they were put in, however they are cut; half of one is none."""
    body = b"x" * 100
    answer = Answer(pieces=(body,))
    chunks = Answer(pieces=(body,), framing="chunks").head() + asks.chunked(body, 3)
    wire = answer.head() + body + chunks + answer.head() + body[:50]
    parts = [wire[at : at + step] for at in range(0, len(wire), step)]

    async def hear() -> bytes:
        await trio.lowlevel.checkpoint()
        return parts.pop(0) if parts else b""

    reader = Reader(hear)
    for _ in range(2):
        head = await reader.head()
        assert head.status == 200
        assert await reader.body(head) == body
    head = await reader.head()
    with pytest.raises(Ended):
        await reader.body(head)


# What it looks at


def test_status_tells_what_is_held() -> None:
    """Whatever is in flight, probing, waiting or remembered, by its place, and nothing that is 0 or a total."""
    document = {
        "concurrency": {"limit": 9, "in_flight": 2, "queued": 1},
        "rate_limit": {"per_second": 5, "callers": 3},
        "providers": [{"name": "openai", "in_flight": 0, "breaker": {"probes": 4, "trips": 8}}],
        "callers": [{"hint": "x", "in_flight": 1, "requests": 7}],
    }
    assert held(document) == {
        "concurrency.in_flight": 2,
        "concurrency.queued": 1,
        "rate_limit.callers": 3,
        "providers.openai.breaker.probes": 4,
        "callers.0.in_flight": 1,
    }


def test_the_kernel_tells_of_descriptors_and_connections() -> None:
    """One more of each is one more, and in its state; a listener is no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = outside.look(os.getpid())
        with socket.create_connection(server.getsockname()):
            after = outside.look(os.getpid())
    assert after.descriptors == before.descriptors + 1
    assert after.tcp == before.tcp + 1
    assert after.connections["established"] == before.connections.get("established", 0) + 1
    assert after.resident > 1_000
    assert after.threads >= 1


def test_protections_are_switched_on_if_there_are_such() -> None:
    """Those that the help page names, whole words only; and each that the program has limits or breaks."""
    page = "--max-concurrency N\n  off with --circuit-breaker-window D, as --circuit-breaker says"
    flags = ["--max-concurrency", "--circuit-breaker", "--circuit-breaker-window"]
    assert [word for word in protections(page) if word.startswith("--")] == flags
    known = re.findall(r"^  (--(?:max|queue|rate|circuit)-[\w-]+)", run("serve", "--help").stdout, re.MULTILINE)
    assert "--rate-limit" in known
    assert set(known) <= set(PROTECTIONS)


def test_its_options_are_documented() -> None:
    """Each of them stands in the bench's README."""
    text = (Path(rest.__file__).parents[1] / "README.md").read_text()
    for option in re.findall(r"--\w+", _parser().format_usage()):
        assert f"`{option}" in text


# At work


@pytest.mark.real
def test_a_bridge_that_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """A few hundred requests through the real program leave nothing behind, and the soak prints every measure."""
    status = main(["--requests", "400", "--rests", "2"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count("near zero") == 3
    assert "BAD" not in said


@pytest.mark.real
@pytest.mark.parametrize(
    ("leak", "what"),
    [
        ("task", r"BAD   Trio tasks: \d+ at the start, \d+ at rest: leaked"),
        ("descriptor", r"BAD   descriptors: \d+ at the start, \d+ at rest: leaked"),
        ("objects", r"BAD   objects: \+[\d,]+ per .* drifts\n(?s:.*)grew since the warm-up: builtins\.list"),
        ("bug", r'"event": "bug"'),
    ],
)
def test_a_leak_is_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], leak: str, what: str
) -> None:
    """A bridge that keeps something of each request, or has a bug, fails it by name, whatever else is found."""
    monkeypatch.setenv("LEAK", leak)
    monkeypatch.setattr(rest, "SETTLE", 2.0)
    status = main(["--requests", "150", "--rests", "2"], launcher="tests.support.leaking_bridge")
    said = capsys.readouterr().out
    assert status == 1, said
    assert re.search(what, said), said
