"""A collector that is slow, away or hostile costs spans, nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from trio.testing import MockClock

from aibridge_trio.core.inspection.usage import NO_USAGE
from aibridge_trio.events import Bug, Finished
from aibridge_trio.telemetry.tracing.context import TraceContext
from aibridge_trio.telemetry.tracing.exporter import BATCH, DEADLINE, FLUSH, INTERVAL, QUEUE, RETRIES, Exporter
from aibridge_trio.telemetry.tracing.traced_record import Trace
from tests.support.collector import ENDPOINT, Collector
from tests.support.handlers import ok
from tests.support.network import Network, Running

FINISHED = Finished(
    "req", "openai", "/chat/completions", "POST", 200, None, None, broken=False, duration=1.0, first_byte=None,
    queued=0.0, total=1.0, bytes_in=1, bytes_out=1, caller=None, user_agent="", started=True,
    reached_upstream=True, usage=NO_USAGE,
)  # fmt: skip
CONTEXT = TraceContext(b"t" * 16, b"s" * 8, b"", 1)
TRACE = Trace(CONTEXT, FINISHED, 1e9, None, (), (), None, None)
LONGER_THAN_ALL = len(RETRIES) * DEADLINE + sum(RETRIES) + DEADLINE + 2 * INTERVAL


class Lab:
    """An exporter, what it counts and warns of."""

    def __init__(self, network: Network) -> None:
        self.counts: Counter[str] = Counter()
        self.warnings: list[str] = []
        self.bugs: list[BaseException] = []
        self.exporter = Exporter(
            f"{ENDPOINT}/v1/traces",
            network.way_out(),
            headers=[("authorization", "Bearer secret-of-collector")],
            resource={"service.name": "test"},
            counts=self.counts,
            warn=self.warnings.append,
            report=self.bugs.append,
        )

    @property
    def total(self) -> int:
        """How many spans it has got rid of."""
        return sum(self.counts.values())


@pytest.fixture
async def lab(network: Network, nursery: trio.Nursery) -> AsyncIterator[Lab]:
    """An exporter that runs."""
    lab = Lab(network)
    nursery.start_soon(lab.exporter.run)
    yield lab
    assert not lab.bugs


async def test_spans_are_sent_in_batches(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """By POST, with the headers of the settings; a full batch at once, another after a while."""
    collector = Collector()
    await network.answer("collector", collector.handle)
    for _ in range(BATCH + 3):
        lab.exporter.put(TRACE)
    await trio.sleep(INTERVAL / 2)
    assert len(collector.spans) == BATCH
    await trio.sleep(2 * INTERVAL)
    assert (len(collector.spans), len(collector.batches)) == (BATCH + 3, 2)
    assert lab.counts == {"exported": BATCH + 3, "failed": 0}
    method, path, headers = collector.requests[0]
    assert (method, path) == ("POST", b"/v1/traces")
    assert headers[b"content-type"] == b"application/x-protobuf"
    assert headers[b"authorization"] == b"Bearer secret-of-collector"
    assert not lab.warnings


async def test_an_idle_exporter_sends_nothing(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """And does not spin."""
    collector = Collector()
    await network.answer("collector", collector.handle)
    await trio.sleep(1000 * INTERVAL)
    assert not collector.requests


async def test_the_queue_is_bounded(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """What does not fit is dropped, and counted."""
    network.blackholes.add("collector")
    for _ in range(QUEUE + 100):
        lab.exporter.put(TRACE)
    assert lab.counts == {"dropped": 100}


async def test_a_collector_that_is_away_is_tried_again(
    autojump_clock: MockClock, network: Network, lab: Lab
) -> None:
    """A few times; then its spans are lost. One warning says so, another that it works again."""
    lab.exporter.put(TRACE)
    await trio.sleep(sum(RETRIES) / 2)
    collector = Collector()
    assert lab.total == 0
    await trio.sleep(LONGER_THAN_ALL)
    assert lab.counts == {"failed": 1}
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    await trio.sleep(2 * INTERVAL)
    assert lab.counts == {"failed": 1, "exported": 1}
    assert [line.partition(":")[0] for line in lab.warnings] == [
        "the collector does not take spans",
        "the collector takes spans again",
    ]


@pytest.mark.parametrize(
    ("status", "tries"), [(503, len(RETRIES) + 1), (429, len(RETRIES) + 1), (500, 1), (400, 1)]
)
async def test_an_error_of_the_collector_loses_spans(
    autojump_clock: MockClock, network: Network, lab: Lab, status: int, tries: int
) -> None:
    """Sent again is only what OTLP permits."""
    collector = Collector(status=status)
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    await trio.sleep(LONGER_THAN_ALL)
    assert (len(collector.requests), lab.counts["failed"], lab.counts["exported"]) == (tries, 1, 0)


async def test_a_redirect_is_not_followed(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """The headers go to the collector alone."""
    collector = Collector(status=307, headers=[(b"location", b"http://elsewhere/")])
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    await trio.sleep(LONGER_THAN_ALL)
    assert set(network.dialled) == {"collector"}
    assert lab.counts == {"failed": 1}


@pytest.mark.parametrize(
    ("asked", "waited"), [(b"20", 20.0), (b"86400", 30.0), (b"-1", RETRIES[0]), (b"x", RETRIES[0])]
)
async def test_a_collector_says_when_to_come_back(
    autojump_clock: MockClock, network: Network, lab: Lab, asked: bytes, waited: float
) -> None:
    """Within bounds."""
    collector = Collector(status=429, headers=[(b"retry-after", asked)])
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    await trio.sleep(INTERVAL + waited - 0.1)
    assert len(collector.requests) == 1
    await trio.sleep(0.2)
    assert len(collector.requests) == 2


async def test_a_slow_collector_has_a_deadline(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """It neither holds a batch for ever nor answers without end."""
    collector = Collector(delay=10_000)
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    await trio.sleep(LONGER_THAN_ALL)
    assert lab.counts == {"failed": 1}


async def test_an_endless_answer_is_not_read(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """Its status says enough."""

    async def endless(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n")
        try:
            while True:
                await stream.send_all(b"\xff" * 65536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    network.raw("collector", endless)
    lab.exporter.put(TRACE)
    await trio.sleep(2 * INTERVAL)
    assert lab.counts == {"exported": 1, "failed": 0}


async def test_nonsense_in_place_of_an_answer_loses_the_batch(
    autojump_clock: MockClock, network: Network, lab: Lab
) -> None:
    """And nothing else."""

    async def nonsense(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"\x00\x01nonsense\r\n\r\n")
        await stream.aclose()

    network.raw("collector", nonsense)
    lab.exporter.put(TRACE)
    await trio.sleep(LONGER_THAN_ALL)
    assert lab.counts == {"failed": 1}


@pytest.mark.parametrize(("refused", "failed"), [(1, 1), (99, 2), (-5, 0)])
async def test_spans_that_the_collector_refuses_have_failed(
    autojump_clock: MockClock, network: Network, lab: Lab, refused: int, failed: int
) -> None:
    """As many as it says, and not more than there were."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = refused
    collector = Collector(answer=answer.SerializeToString())
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE)
    lab.exporter.put(TRACE)
    await trio.sleep(2 * INTERVAL)
    assert lab.counts == {"exported": 2 - failed, "failed": failed}


async def test_a_bug_costs_its_batch(autojump_clock: MockClock, network: Network, lab: Lab) -> None:
    """It is reported, and the next batch is sent."""
    collector = Collector()
    await network.answer("collector", collector.handle)
    lab.exporter.put(TRACE._replace(wall="no time"))  # type: ignore[arg-type]
    await trio.sleep(2 * INTERVAL)
    assert [type(each) for each in lab.bugs] == [TypeError]
    lab.bugs.clear()
    lab.exporter.put(TRACE)
    await trio.sleep(2 * INTERVAL)
    assert lab.counts == {"exported": 1, "failed": 1}


@asynccontextmanager
async def stopped(network: Network) -> AsyncIterator[Running]:
    """Run a bridge that has one span to send when it is stopped."""
    await network.answer("openai", ok)
    async with network.bridge(otel_endpoint=ENDPOINT) as running:
        await running.client.post("/openai/v1/chat/completions", json={"model": "m"})
        await running.signals.send(15)
        yield running
        await running.ended.wait()
        assert running.exit_status == 0
        assert not running.published(Bug)


async def test_at_the_end_what_is_queued_is_sent(autojump_clock: MockClock, network: Network) -> None:
    """Before the bridge has ended."""
    collector = Collector()
    await network.answer("collector", collector.handle)
    async with stopped(network):
        pass
    assert collector.spans


async def test_at_the_end_a_slow_collector_holds_nothing_up(autojump_clock: MockClock, network: Network) -> None:
    """For longer than its bound."""
    network.blackholes.add("collector")
    async with stopped(network) as running:
        began = trio.current_time()
        await running.ended.wait()
        assert trio.current_time() - began < FLUSH + 1
