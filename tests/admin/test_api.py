"""The admin API: health, metrics, status, overrides, and access."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Address, Secret
from aibridge_trio.events import Bug, Overridden
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network, Running

CHAT = "/openai/v1/chat/completions"
PAGES = ("/healthz", "/readyz", "/metrics", "/status", "/status/stream")


async def endless(_: Request, reply: Reply) -> None:
    """Stream for ever."""
    await reply.start(200, [(b"content-type", b"text/event-stream")])
    while True:
        await reply.send(b": ping\n\n")
        await trio.sleep(1)


async def raw(network: Network, request: bytes) -> bytes:
    """Send bytes to the admin listener; return all that comes within a second."""
    stream = network.dial("admin")
    await stream.send_all(request)
    answer = b""
    with trio.move_on_after(0.9):
        while piece := await stream.receive_some():
            answer += piece
    await stream.aclose()
    return answer


# Pages


@pytest.mark.parametrize(
    ("path", "content_type", "begin"),
    [
        ("/healthz", "text/plain; charset=utf-8", b"ok\n"),
        ("/readyz", "text/plain; charset=utf-8", b"ready\n"),
        ("/metrics", "text/plain; version=", b"# HELP aibridge_"),
        ("/status", "application/json", b'{"schema": 1, '),
    ],
)
async def test_each_page_says_what_it_is(
    autojump_clock: MockClock, network: Network, path: str, content_type: str, begin: bytes
) -> None:
    """200, its content type, its body; to HEAD the same without the body."""
    async with network.bridge() as bridge:
        for method in ("GET", "HEAD"):
            answer = await bridge.admin.request(method, path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(content_type)
            assert int(answer.headers["content-length"]) > 0
            assert answer.content[: len(begin)] == (begin if method == "GET" else b"")


async def test_the_probes_follow_the_bridges_life(autojump_clock: MockClock, network: Network) -> None:
    """healthz is 200 while the process runs; readyz is 503 while it starts or drains, and says which."""
    async with network.bridge(drain_delay=5.0) as bridge:
        for phase, ready in (("starting", 503), ("serving", 200), ("draining", 503), ("stopping", 503)):
            bridge.bridge.lifecycle.phase = phase  # type: ignore[assignment]
            assert (await bridge.admin.get("/healthz")).status_code == 200
            answer = await bridge.admin.get("/readyz")
            assert answer.status_code == ready
            assert answer.text == ("ready\n" if ready == 200 else f"{phase}\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_pages_are_read_only(autojump_clock: MockClock, network: Network, method: str) -> None:
    """Any other method is 405."""
    async with network.bridge() as bridge:
        for path in PAGES:
            answer = await bridge.admin.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/healthz/", "/HEALTHZ", "/status/", "/breakers", "/openai/v1/models"])
async def test_all_else_is_404(autojump_clock: MockClock, network: Network, path: str) -> None:
    """The operator's side serves no callers."""
    async with network.bridge() as bridge:
        answer = await bridge.admin.get(path)
        assert (answer.status_code, answer.json()) == (404, {"message": "not found"})
    assert "openai" not in network.dialled


async def test_it_answers_when_the_proxy_is_full(autojump_clock: MockClock, network: Network) -> None:
    """It shares no limiter with the proxy: every page answers, at once, in any number."""
    await network.answer("openai", endless)
    async with (
        network.bridge(max_concurrency=1, rate_limit=1, circuit_breaker=True) as bridge,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(0.5)
        assert (await network.client("bridge").get("/")).status_code == 503
        began = trio.current_time()
        for _ in range(20):
            for path in PAGES[:-1]:
                assert (await bridge.admin.get(path)).status_code == 200
        assert (await bridge.admin.post("/breakers/openai", json={"mode": "open"})).status_code == 200
        assert trio.current_time() == began
        nursery.cancel_scope.cancel()


async def test_a_bug_is_contained(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 without details; the next request is answered; the log says where."""

    def broken() -> dict[str, Any]:
        raise RuntimeError("inner detail")

    async with network.bridge() as bridge:
        with monkeypatch.context() as patch:
            patch.setattr(bridge.bridge.status, "document", broken)
            answer = await bridge.admin.get("/status")
        assert (answer.status_code, answer.text) == (500, "internal error\n")
        assert (await bridge.admin.get("/status")).status_code == 200
        assert len(bridge.published(Bug)) == 1


# The stream


async def frames(answer: httpx.Response) -> AsyncGenerator[tuple[float, dict[str, Any]]]:
    """Yield each frame of a stream of status with the time of its coming; hold it to its framing."""
    text = ""
    async for piece in answer.aiter_text():
        text += piece
        while "\n\n" in text:
            frame, _, text = text.partition("\n\n")
            event, data = frame.split("\n")
            assert event == "event: status"
            assert data.startswith("data: ")
            yield trio.current_time(), json.loads(data.removeprefix("data: "))


class Watcher:
    """A client of /status/stream."""

    def __init__(self, bridge: Running) -> None:
        self._bridge = bridge
        self.headers = httpx.Headers()
        self.times: list[float] = []
        self.documents: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Read until cancelled."""
        async with self._bridge.admin.stream("GET", "/status/stream") as answer:
            self.headers = answer.headers
            async with aclosing(frames(answer)) as seen:
                async for at, document in seen:
                    self.times.append(at)
                    self.documents.append(document)


async def test_a_frame_comes_at_once_and_then_each_second(autojump_clock: MockClock, network: Network) -> None:
    """Server-sent events, never cached: each is the status document as it is then."""
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        began = trio.current_time()
        watcher = Watcher(bridge)
        nursery.start_soon(watcher.run)
        await trio.sleep(4.5)
        nursery.cancel_scope.cancel()
    assert watcher.headers["content-type"] == "text/event-stream"
    assert watcher.headers["cache-control"] == "no-store"
    assert [at - began for at in watcher.times] == pytest.approx([0, 1, 2, 3, 4])
    assert [document["uptime_s"] for document in watcher.documents] == pytest.approx([0, 1, 2, 3, 4])
    assert {document["schema"] for document in watcher.documents} == {1}


async def test_a_frame_comes_at_each_transition(autojump_clock: MockClock, network: Network) -> None:
    """A trip, an override, the end of a cooldown and a drain are sent at once, not at the next second."""
    options = {"circuit_breaker_failure_threshold": 1, "circuit_breaker_cooldown": 2.05}
    async with (
        network.bridge(circuit_breaker=True, drain_delay=10.0, **options) as bridge,
        trio.open_nursery() as nursery,
    ):
        began = trio.current_time()
        watcher = Watcher(bridge)
        nursery.start_soon(watcher.run)
        await trio.sleep(0.5)
        await bridge.client.post(CHAT)
        await trio.sleep(0.25)
        await bridge.admin.post("/breakers/anthropic", json={"mode": "open"})
        await trio.sleep(2.0)
        await bridge.signals.send(15)
        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    seen = [
        (round(at - began, 3), document["providers"][0]["breaker"]["state"], document["draining"])
        for at, document in zip(watcher.times, watcher.documents, strict=True)
    ]
    assert seen == [
        (0.0, "closed", False),
        (0.5, "open", False),
        (0.75, "open", False),
        (1.75, "open", False),
        (2.55, "half-open", False),
        (2.75, "half-open", True),
    ]
    assert watcher.documents[2]["providers"][1]["breaker"]["mode"] == "open"


async def test_traffic_makes_no_frames(autojump_clock: MockClock, network: Network) -> None:
    """Requests alone send no event: a busy bridge sends as few as an idle one."""
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        watcher = Watcher(bridge)
        nursery.start_soon(watcher.run)
        for _ in range(50):
            await bridge.client.get("/")
            await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert len(watcher.times) == 3
    assert watcher.documents[-1]["requests"]["total"] >= 39


async def test_a_reader_that_left_is_let_go_of(autojump_clock: MockClock, network: Network) -> None:
    """Within a second nothing of it is left: no task, no connection."""
    async with network.bridge() as bridge:
        for _ in range(5):
            reader = network.client("admin", headers={"host": "localhost"})
            async with reader:
                with trio.move_on_after(2.5):
                    await reader.get("/status/stream")
        await trio.sleep(1)
        assert bridge.bridge.admin_server.statistics().connections == 0
        assert bridge.published(Bug) == []


async def test_to_head_the_stream_is_a_head(autojump_clock: MockClock, network: Network) -> None:
    """HEAD tells what GET would stream, and ends."""
    async with network.bridge() as bridge:
        with trio.fail_after(0.1):
            answer = await bridge.admin.head("/status/stream")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


# What is refused leaves a trace


async def test_wrong_tokens_are_counted_and_told_at_most_once_a_second(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each counts; the first is a line at once, those of a second are one more, with the last one's address."""
    address = Address("admin", 80)
    async with network.bridge(admin_bind=address, admin_token=Secret("0123456789abcdef")) as bridge:

        async def guess(token: str, path: str = "/status") -> int:
            return (await bridge.admin.get(path, headers={"authorization": f"Bearer {token}"})).status_code

        for n in range(100):
            assert await guess(f"zz-wrong-{n}") == 401
            assert await guess("0123456789abcdef", "/healthz") == 200
        await trio.sleep(5)
        assert await guess("0123456789abcde") == 401
        assert (await bridge.admin.get("/status", headers={"host": "evil.example"})).status_code == 403
        await trio.sleep(5)
        answer = await bridge.admin.get("/metrics", headers={"authorization": "Bearer 0123456789abcdef"})
    said = capsys.readouterr().err
    assert 'aibridge_admin_refused_total{cause="token"} 101.0' in answer.text
    assert 'aibridge_admin_refused_total{cause="host"} 1.0' in answer.text
    lines = [json.loads(line) for line in said.splitlines()]
    told = [
        (line["level"], line["refused"], line["peer"], line["count"]) for line in lines if line["event"] == "admin"
    ]
    assert told == [
        ("warning", "token", "10.0.0.2", 1),
        ("warning", "token", "10.0.0.2", 99),
        ("warning", "token", "10.0.0.2", 1),
        ("warning", "host", "10.0.0.2", 1),
    ]
    assert "zz" not in said


async def test_an_override_tells_where_it_came_from(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's address is in the log line."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
    [line] = [
        line for line in map(json.loads, capsys.readouterr().err.splitlines()) if line["event"] == "override"
    ]
    assert (line["provider"], line["mode"], line["peer"]) == ("openai", "open", "10.0.0.2")


# Overrides


async def test_an_operator_overrides_a_breaker_and_ends_it(autojump_clock: MockClock, network: Network) -> None:
    """Each override returns the breaker's new state and publishes an event; a repeated one publishes none."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for mode, state in (
            ("open", "open"),
            ("open", "open"),
            ("auto", "half-open"),
            ("close", "closed"),
            ("open", "open"),
            ("close", "closed"),
            ("auto", "closed"),
        ):
            answer = await bridge.admin.post("/breakers/anthropic", json={"mode": mode})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
            told = answer.json()
            assert (told.pop("provider"), told["state"], told["mode"]) == ("anthropic", state, mode)
            assert told == (await bridge.status())["providers"][1]["breaker"]
            assert told["cooldown_left_s"] is None
            assert told["trips"] == 0
        modes = [event.mode for event in bridge.published(Overridden)]
        states = [provider["breaker"]["mode"] for provider in (await bridge.status())["providers"]]
    assert modes == ["open", "auto", "close", "open", "close", "auto"]
    assert states == ["auto", "auto", "auto"]


async def test_an_override_is_obeyed(autojump_clock: MockClock, network: Network) -> None:
    """Forced open refuses with no end in sight, forced closed admits whatever fails."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        await trio.sleep(60)
        assert (await bridge.client.post(CHAT)).headers["x-aibridge-reject"] == "circuit_open"
        assert (await bridge.client.get("/openai/v1/models")).headers["x-aibridge-reject"] == "circuit_open"
        await bridge.admin.post("/breakers/openai", json={"mode": "close"})
        for _ in range(5):
            assert (await bridge.client.post(CHAT)).headers["x-aibridge-reject"] == "upstream_unreachable"
        await bridge.admin.post("/breakers/openai", json={"mode": "auto"})
        await bridge.client.post(CHAT)
        assert (await bridge.client.post(CHAT)).headers["x-aibridge-reject"] == "circuit_open"


JSON = "application/json"


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status"),
    [
        ("nobody", JSON, b'{"mode":"open"}', 404),
        ("", JSON, b'{"mode":"open"}', 404),
        ("openai/", JSON, b'{"mode":"open"}', 404),
        ("OpenAI", JSON, b'{"mode":"open"}', 404),
        ("openai", "text/plain", b'{"mode":"open"}', 415),
        ("openai", "application/x-www-form-urlencoded", b"mode=open", 415),
        ("openai", "", b'{"mode":"open"}', 415),
        ("openai", JSON, b'{"mode":"opened"}', 400),
        ("openai", JSON, b'{"mode":["open"]}', 400),
        ("openai", JSON, b'{"mode":null}', 400),
        ("openai", JSON, b'{"state":"open"}', 400),
        ("openai", JSON, b'"open"', 400),
        ("openai", JSON, b"[]", 400),
        ("openai", JSON, b"{", 400),
        ("openai", JSON, b"", 400),
        ("openai", JSON, b"\xff\xfe", 400),
        ("openai", JSON, b"[" * 4000, 400),
        ("openai", JSON, b" " * 4097, 413),
        ("openai", JSON, b'{"mode":"open"}' + b" " * 5_000_000, 413),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(
    autojump_clock: MockClock, network: Network, path: str, content_type: str, body: bytes, status: int
) -> None:
    """An unknown provider, a wrong type or mode, and a long body are errors that say what is right."""
    async with network.bridge(circuit_breaker=True) as bridge:
        headers = {"content-type": content_type}
        answer = await bridge.admin.post(f"/breakers/{path}", content=body, headers=headers)
        assert answer.status_code == status
        assert len(answer.json()["message"]) > 5
        assert bridge.published(Overridden) == []
        assert bridge.published(Bug) == []


async def test_without_a_type_an_order_is_415(autojump_clock: MockClock, network: Network) -> None:
    """A form on a foreign web page cannot send application/json, so other types are rejected."""
    async with network.bridge(circuit_breaker=True) as bridge:
        assert (await bridge.admin.post("/breakers/openai", content=b'{"mode":"open"}')).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_json_is_json_however_it_is_written(
    autojump_clock: MockClock, network: Network, content_type: str
) -> None:
    """Media types have parameters, and no case."""
    async with network.bridge(circuit_breaker=True) as bridge:
        headers = {"content-type": content_type}
        answer = await bridge.admin.post("/breakers/openai", content=b'{"mode":"open"}', headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_orders_are_posted(autojump_clock: MockClock, network: Network, method: str) -> None:
    """A GET request changes nothing."""
    async with network.bridge(circuit_breaker=True) as bridge:
        answer = await bridge.admin.request(method, "/breakers/openai")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_with_breakers_off_there_is_nothing_to_override(autojump_clock: MockClock, network: Network) -> None:
    """409, and how to have them."""
    async with network.bridge() as bridge:
        answer = await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert answer.status_code == 409
        assert "--circuit-breaker" in answer.json()["message"]
        assert (await bridge.admin.post("/breakers/x", json={"mode": "open"})).status_code == 404


async def test_an_order_that_stalls_is_no_bug(autojump_clock: MockClock, network: Network) -> None:
    """A body that stalls is answered with 408 after some seconds."""
    async with network.bridge(circuit_breaker=True) as bridge:
        stream = network.dial("admin")
        await stream.send_all(
            b"POST /breakers/openai HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b'content-length: 20\r\n\r\n{"mo'
        )
        with trio.fail_after(11):
            answer = b""
            while piece := await stream.receive_some():
                answer += piece
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert bridge.published(Bug) == []
        await stream.aclose()
