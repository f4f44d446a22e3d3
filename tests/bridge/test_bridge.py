"""The lifecycle: start, drain, grace period, cut; in memory, driven by signals."""

from __future__ import annotations

import math
import resource
from contextlib import suppress

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio import __version__
from aibridge_trio.config.settings import Address, Secret, UnixSocket
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.events import Finished, LifecycleChanged
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network, Running

CHAT = "/openai/v1/chat/completions"
SSE = [(b"content-type", b"text/event-stream")]
CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
SIGTERM, SIGINT = 15, 2


def lasting(seconds: float, first: bytes = CONTENT) -> Handler:
    """Stream an event a second for so long, then end cleanly."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            await reply.send(first)
            await trio.sleep(1)
        await reply.end()

    return handler


class Call:
    """A request that runs while a test does other things."""

    def __init__(self, network: Network, content: bytes = b"{}", path: str = CHAT) -> None:
        self._client = network.client("bridge", address="10.0.0.3")
        self._content, self._path = content, path
        self.body = b""
        self.broken = False
        self.ended_at = math.nan

    async def run(self) -> None:
        """Call, and note what came and when it was over."""
        async with self._client as client:
            try:
                async with client.stream("POST", self._path, content=self._content) as answer:
                    async for piece in answer.aiter_raw():
                        self.body += piece
            except (httpx.RemoteProtocolError, httpx.ReadError):
                self.broken = True
        self.ended_at = trio.current_time()


def refuses(network: Network, host: str) -> bool:
    """Tell whether a host takes no new connection."""
    try:
        network.dial(host)
    except Exception as error:  # noqa: BLE001 - its type is the network's affair
        return "refused" in str(error)
    return False


async def ready(bridge: Running) -> int:
    """Return the status of /readyz."""
    return (await bridge.admin.get("/readyz")).status_code


# Start


async def test_it_is_ready_when_it_serves(autojump_clock: MockClock, network: Network) -> None:
    """Ready means that callers are answered."""
    async with network.bridge() as bridge:
        assert await ready(bridge) == 200
        assert (await bridge.client.get("/")).status_code == 200
        assert repr(bridge.bridge.lifecycle) == "<Lifecycle serving>"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "none is on (see --max-concurrency, --rate-limit, --circuit-breaker)"),
        ({"max_concurrency": 5}, "at most 5 in flight"),
        ({"rate_limit": 7}, "7 requests/s a caller"),
        ({"circuit_breaker": True}, "circuit breakers (5 failures in 10 s)"),
        (
            {"max_concurrency": 5, "rate_limit": 7, "circuit_breaker": True, "circuit_breaker_window": 0.5},
            "at most 5 in flight, 7 requests/s a caller, circuit breakers (5 failures in 0.5 s)",
        ),
    ],
)
async def test_the_start_tells_where_it_listens_and_what_protects(
    autojump_clock: MockClock, network: Network, options: dict[str, object], said: str
) -> None:
    """One line: version, both addresses, each protection that is on, or that none is."""
    async with network.bridge(**options) as bridge:
        [start] = bridge.published(LifecycleChanged)
        suggested = "".join(f"; {each}" for each in bridge.bridge.settings.suggestions())
    assert (start.what, start.detail) == (
        "start",
        f"AI Bridge {__version__} listens on http://bridge:80, admin on http://admin:80; protections: {said}"
        + suggested,
    )


async def test_the_start_tells_of_tls_and_writes_ipv6_as_a_url_has_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """What it says can be pasted into a client."""
    async with network.bridge() as bridge:
        bridge.bridge.addresses = (Address("::1", 4001), UnixSocket("/run/bridge"))
        introduction = bridge.bridge.startup_message()
        assert "listens on http://[::1]:4001 and unix:/run/bridge, admin" in introduction


async def test_what_is_allowed_but_risky_is_warned_of_at_the_start(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """A central key on an exposed listener is a warning in the log, without the key."""
    anywhere = Address("0.0.0.0", 4001)
    async with network.bridge(openai_api_key=Secret("sk-central"), allow_anonymous=True, bind=(anywhere,)):
        pass
    said = capsys.readouterr().err
    assert "--allow-anonymous: any client that can connect to 0.0.0.0:4001 uses the central key" in said
    assert "sk-central" not in said


# Drain


@pytest.mark.parametrize("signal", [SIGTERM, SIGINT])
async def test_without_requests_the_end_is_at_once(
    autojump_clock: MockClock, network: Network, signal: int
) -> None:
    """Either signal: nothing to wait for, exit status 0, and both ports are free."""
    async with network.bridge() as bridge:
        began = trio.current_time()
        await bridge.signals.send(signal)
        await bridge.ended.wait()
        assert (bridge.exit_status, trio.current_time() - began) == (0, 0)
        assert refuses(network, "bridge")
        assert refuses(network, "admin")
        assert [event.what for event in bridge.published(LifecycleChanged)] == ["start", "drain", "stop"]


async def test_the_drain_delay_goes_on_serving(autojump_clock: MockClock, network: Network) -> None:
    """readyz is 503 at once; for the delay requests are served and say goodbye, then both ports are closed."""

    async def provider(request: Request, reply: Reply) -> None:
        await lasting(20 if b"long" in [piece async for piece in request.body] else 0.1)(request, reply)

    await network.answer("openai", provider)
    async with network.bridge(drain_delay=10.0, graceful_timeout=30.0) as bridge, trio.open_nursery() as nursery:
        call = Call(network, b"long")
        nursery.start_soon(call.run)
        await trio.sleep(1)
        began = trio.current_time()
        await bridge.signals.send(SIGTERM)
        await trio.testing.wait_all_tasks_blocked()
        assert (await ready(bridge), trio.current_time() - began) == (503, 0)
        assert (await bridge.admin.get("/healthz")).status_code == 200
        assert (await bridge.status())["draining"] is True
        for second in range(10):
            await trio.sleep_until(began + second + 0.5)
            answer = await bridge.client.post(CHAT)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert len(call.body) >= 10 * len(CONTENT)
        await trio.sleep_until(began + 10.5)
        assert refuses(network, "bridge")
        assert refuses(network, "admin")
        assert await ready(bridge) == 503
        assert not bridge.ended.is_set()
        await bridge.ended.wait()
        assert bridge.exit_status == 0
        assert (call.body, call.broken) == (CONTENT * 20, False)
        assert trio.current_time() - began == pytest.approx(19, abs=0.1)


async def test_without_a_delay_the_port_closes_at_once(autojump_clock: MockClock, network: Network) -> None:
    """The default: no new connection after the signal, running ones finish."""
    await network.answer("openai", lasting(5))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1.5)
        await bridge.signals.send(SIGTERM)
        await trio.testing.wait_all_tasks_blocked()
        assert refuses(network, "bridge")
        await bridge.ended.wait()
        assert (call.body, call.broken, bridge.exit_status) == (CONTENT * 5, False, 0)


async def test_a_kept_connection_gets_one_more_request_through(
    autojump_clock: MockClock, network: Network
) -> None:
    """Draining, what arrives on an old connection is served, and it is the connection's last."""
    await network.answer("openai", lasting(1))
    async with network.bridge(drain_delay=5.0) as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200
        await bridge.signals.send(SIGTERM)
        await trio.sleep(1)
        answer = await bridge.client.post(CHAT)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert network.dialled.count("bridge") == 1
        assert (await bridge.client.post(CHAT)).headers["connection"] == "close"
    assert network.dialled.count("bridge") == 2


async def test_a_request_in_the_queue_at_the_end_of_the_grace_is_rejected(
    autojump_clock: MockClock, network: Network
) -> None:
    """Not cut: 503 shutting_down, while the running answer is."""
    await network.answer("openai", lasting(1000))
    options = {"max_concurrency": 1, "queue_size": 5, "queue_timeout": 500.0, "graceful_timeout": 30.0}
    answers: list[httpx.Response] = []

    async def wait() -> None:
        async with network.client("bridge") as client:
            answers.append(await client.post(CHAT))

    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1.5)
        nursery.start_soon(wait)
        await trio.sleep(1)
        began = trio.current_time()
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
    [answer] = answers
    assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "shutting_down")
    assert call.broken


async def test_what_outlasts_the_grace_is_cut_uncleanly_and_blames_no_provider(
    autojump_clock: MockClock, network: Network
) -> None:
    """The caller sees a break, not an end; the provider is let go of; the verdict is neutral, the exit 0."""
    gone = trio.Event()

    async def provider(request: Request, reply: Reply) -> None:
        try:
            await lasting(1000, b": ping\n\n")(request, reply)
        finally:
            gone.set()

    await network.answer("openai", provider)
    async with network.bridge(graceful_timeout=30.0) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1.5)
        began = trio.current_time()
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        with trio.fail_after(1):
            await gone.wait()
        assert bridge.exit_status == 0
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.verdict) == (200, Verdict.NEUTRAL)
        assert bridge.bridge.admission.statistics().in_flight == 0
    assert call.broken
    assert call.body == b": ping\n\n" * 32


async def test_a_request_without_a_head_is_cut_too(autojump_clock: MockClock, network: Network) -> None:
    """Waiting for a provider's head is no reason to live on."""

    async def silent(_request: Request, _reply: Reply) -> None:
        await trio.sleep_forever()

    await network.answer("openai", silent)
    async with network.bridge(graceful_timeout=5.0) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1)
        await bridge.signals.send(SIGTERM)
        with trio.fail_after(5.1):
            await bridge.ended.wait()
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.verdict, bridge.exit_status) == (499, Verdict.NEUTRAL, 0)
    assert call.broken


async def test_the_admin_listener_answers_until_the_end(autojump_clock: MockClock, network: Network) -> None:
    """While callers are waited for, their operator can see what for."""
    await network.answer("openai", lasting(20))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await bridge.status()
        await trio.sleep(1)
        await bridge.signals.send(SIGTERM)
        await trio.sleep_until(20 - 0.5)
        status = await bridge.status()
        assert (status["draining"], status["concurrency"]["in_flight"]) == (True, 1)
        assert await bridge.metric("requests_in_flight") == 1
        await bridge.ended.wait()
        assert refuses(network, "admin")


async def test_a_status_stream_does_not_hold_up_the_end(autojump_clock: MockClock, network: Network) -> None:
    """Clients of the status stream are cut at the end, without waiting for them."""
    async with network.bridge() as bridge, trio.open_nursery() as nursery:

        async def watch() -> None:
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await bridge.admin.get("/status/stream")

        nursery.start_soon(watch)
        await trio.sleep(2.5)
        began = trio.current_time()
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        assert (bridge.exit_status, trio.current_time() - began) == (0, 0)


@pytest.mark.parametrize("drain_delay", [0.0, 60.0])
async def test_a_second_signal_ends_it_now(
    autojump_clock: MockClock, network: Network, drain_delay: float
) -> None:
    """In the delay or in the grace: everything is cut at once, and the exit status says so."""
    await network.answer("openai", lasting(1000))
    options = {"drain_delay": drain_delay, "graceful_timeout": math.inf}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1)
        await bridge.signals.send(SIGTERM)
        await trio.sleep(5)
        began = trio.current_time()
        await bridge.signals.send(SIGINT)
        await bridge.ended.wait()
        assert (bridge.exit_status, trio.current_time() - began) == (1, 0)
        assert refuses(network, "bridge")
        assert [event.detail for event in bridge.published(LifecycleChanged)][-1] == "cut off by a second signal"
    assert call.broken


async def test_an_infinite_grace_waits(autojump_clock: MockClock, network: Network) -> None:
    """`--graceful-timeout 0s` is no limit: the longest stream arrives complete."""
    await network.answer("openai", lasting(600))
    async with network.bridge(graceful_timeout=math.inf) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(1)
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        assert (call.body, call.broken, bridge.exit_status) == (CONTENT * 600, False, 0)


async def test_a_drain_tells_how_many_it_waits_for(autojump_clock: MockClock, network: Network) -> None:
    """The log line that an impatient operator reads."""
    await network.answer("openai", lasting(3))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(Call(network).run)
        await trio.sleep(1)
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        details = [event.detail for event in bridge.published(LifecycleChanged)]
    assert details[1:] == ["2 in flight; a second signal ends them", "drained"]


async def test_no_connection_to_a_provider_is_left_open(autojump_clock: MockClock, network: Network) -> None:
    """Kept connections close with the bridge: the provider's side sees their end."""
    closed = trio.Event()

    async def provider(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        assert await stream.receive_some() == b""
        closed.set()

    network.raw("openai", provider)
    async with network.bridge() as bridge:
        assert (await bridge.client.post(CHAT)).content == b"{}"
        await trio.testing.wait_all_tasks_blocked()
        assert not closed.is_set()
        await bridge.signals.send(SIGTERM)
        await bridge.ended.wait()
        with trio.fail_after(1):
            await closed.wait()


async def test_ways_out_close_though_the_bridge_is_cancelled(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transport whose closing takes a moment gets it, all of them, and not for ever."""
    closed: list[str] = []

    class Slow(httpx.AsyncBaseTransport):
        async def aclose(self) -> None:
            await trio.sleep(0.1)
            closed.append("closed")

    monkeypatch.setattr(network, "way_out", lambda _: Slow())
    async with trio.open_nursery() as nursery:
        monkeypatch.setattr(network, "nursery", nursery)
        async with network.bridge():
            nursery.cancel_scope.cancel()
    assert closed == ["closed"] * 3
    assert trio.current_time() < 1.1


# Connections


async def test_connections_are_limited_by_the_settings(autojump_clock: MockClock, network: Network) -> None:
    """In all, and per address; the operator's listener is not the callers'."""
    async with network.bridge(max_connections=3, max_connections_per_address=2) as bridge:
        for address, served in (("10.0.0.2", 2), ("10.0.0.3", 1), ("10.0.0.4", 0)):
            for n in range(3):
                stream = network.dial("bridge", address)
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(b"GET / HTTP/1.1\r\nhost: b\r\n\r\n")
                status = bytes(await stream.receive_some())[9:12]
                assert status == (b"200" if n < served else b"503")
        assert bridge.bridge.server.statistics().connections == 3
        assert (await bridge.admin.get("/healthz")).status_code == 200


async def test_without_a_limit_callers_leave_half_of_the_descriptors(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle callers cannot take what their requests need to reach a provider."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    async with network.bridge():
        streams = [network.dial("bridge") for _ in range(5)]
        for stream, status in zip(streams, [b"200"] * 4 + [b"503"], strict=True):
            with suppress(trio.BrokenResourceError):
                await stream.send_all(b"GET / HTTP/1.1\r\nhost: b\r\n\r\n")
            assert bytes(await stream.receive_some())[9:12] == status
