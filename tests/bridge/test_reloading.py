"""Reloading: what is applied, what stays, and a configuration with a mistake."""

from __future__ import annotations

import threading

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.bridge.reloading import Prepared, Reloader
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.events import LifecycleChanged, Reloaded
from aibridge_trio.gateway.lifecycle import Lifecycle
from tests.bridge.test_bridge import CHAT, Call, lasting
from tests.support.handlers import failing, ok
from tests.support.network import Network


async def test_the_difference_is_returned_and_published(autojump_clock: MockClock, network: Network) -> None:
    """What was applied, and what cannot be; the log and the metric get the same event."""
    async with network.bridge(max_concurrency=1) as bridge:
        result = await bridge.reload(max_concurrency=2, bind=(Address("127.0.0.1", 9),))
        assert result.changes == ("--max-concurrency: 1 → 2",)
        assert result.fixed == (
            "--bind: 127.0.0.1:4001 → 127.0.0.1:9: it stays as it was, because the listeners stay open",
        )
        assert bridge.published(Reloaded) == [result]
        assert bridge.bridge.settings.bind == (Address("127.0.0.1", 4001),)
        assert bridge.bridge.settings.max_concurrency == 2
        assert (await bridge.reload()).changes == ()
        assert await bridge.metric("reloads_total", outcome="applied") == 2


async def test_a_mistake_changes_nothing_and_is_said(autojump_clock: MockClock, network: Network) -> None:
    """The admin listener answers 422 with the message; the settings are the former ones."""
    async with network.bridge(max_concurrency=1) as bridge:
        bridge.settings[0] = UsageError("aibridge.toml: rate_limit: 'x' is no number; write e.g. 5")
        before = bridge.bridge.settings
        answer = await bridge.admin.post("/reload")
        assert answer.status_code == 422
        assert answer.json() == {"message": "aibridge.toml: rate_limit: 'x' is no number; write e.g. 5"}
        assert bridge.bridge.settings is before
        assert await bridge.metric("reloads_total", outcome="rejected") == 1


async def test_warnings_that_are_new_are_logged(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """As at the start, once."""
    async with network.bridge() as bridge:
        capsys.readouterr()
        await bridge.reload(openai_base_url="http://openai/v1/chat/completions")
        await bridge.reload(max_concurrency=5)
        assert capsys.readouterr().err.count('"event": "config"') == 1


async def test_the_admin_listener_reloads(autojump_clock: MockClock, network: Network) -> None:
    """With the difference as its answer; only by POST, and only with the token that is in force."""
    async with network.bridge(rate_limit=5) as bridge:
        bridge.settings[0] = Settings(
            openai_base_url="http://openai/v1",
            anthropic_base_url="http://anthropic",
            copilot_base_url="http://copilot",
            rate_limit=6,
        )
        answer = await bridge.admin.post("/reload")
        assert answer.json() == {"changes": ["--rate-limit: 5 → 6"], "fixed": []}
        answer = await bridge.admin.get("/reload")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_stream_goes_on_and_counts(autojump_clock: MockClock, network: Network) -> None:
    """Through a change of its provider's URL, of the breaker and of the limits; then the provider's removal."""
    await network.answer("openai", lasting(30))
    await network.answer("other", ok)
    async with network.bridge(max_concurrency=2, circuit_breaker=True) as bridge, trio.open_nursery() as nursery:
        call = Call(network)
        nursery.start_soon(call.run)
        await trio.sleep(5)
        await bridge.reload(openai_base_url="http://other/v1", max_concurrency=1, circuit_breaker=False)
        await trio.sleep(1)
        assert (await bridge.client.post(CHAT, content=b"{}")).headers["x-aibridge-reject"] == "capacity"
        await bridge.reload(max_concurrency=3)
        assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
        assert bridge.bridge.admission.statistics().in_flight == 1
        await bridge.reload(disabled_providers=frozenset({"openai"}))
        assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 404
    assert not call.broken
    assert call.body.count(b"data:") == 30


async def test_an_open_breaker_stays_open(autojump_clock: MockClock, network: Network) -> None:
    """With its cooldown, whatever else about it changes."""
    await network.answer("openai", failing(503))
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        await bridge.client.post(CHAT, content=b"{}")
        await bridge.reload(
            circuit_breaker_cooldown=1.0, circuit_breaker_window=3.0, openai_base_url="http://other"
        )
        await trio.sleep(20)
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert answer.headers["x-aibridge-reject"] == "circuit_open"
        assert 9_000 < int(answer.headers["retry-after-ms"]) < 13_000
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 1


async def test_a_new_provider_is_served_and_counted(autojump_clock: MockClock, network: Network) -> None:
    """With series that begin at 0, and a breaker with timers."""
    await network.answer("vllm", failing(503))
    table = ProviderTable(name="vllm", dialect="openai", base_url="http://vllm/v1", keyless=True)
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        path = "/vllm/v1/chat/completions"
        assert (await bridge.client.post(path, content=b"{}")).status_code == 404
        result = await bridge.reload(provider_tables=(table,))
        assert result.changes == ("[providers] vllm: added",)
        assert await bridge.metric("circuit_breaker_trips_total", provider="vllm") == 0
        await bridge.client.post(path, content=b"{}")
        assert await bridge.metric("circuit_breaker_state", provider="vllm") == 1
        await trio.sleep(40)
        assert await bridge.metric("circuit_breaker_state", provider="vllm") == 2  # its timer runs
        await bridge.reload(provider_tables=())
        with pytest.raises(KeyError):
            await bridge.metric("circuit_breaker_state", provider="vllm")


async def test_held_requests_are_sent_though_adaptive_is_switched_off(
    autojump_clock: MockClock, network: Network
) -> None:
    """They wait in a line that no other request enters, and get their answers."""
    failures = 3

    async def handler(request: object, reply: object) -> None:
        nonlocal failures
        failures -= 1
        await (failing(529) if failures >= 0 else ok)(request, reply)  # type: ignore[arg-type]

    await network.answer("openai", handler)
    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await bridge.client.post(CHAT, content=b"{}")).status_code)

        nursery.start_soon(ask)
        await trio.sleep(0.1)
        await bridge.reload(adaptive=False)
        await trio.sleep(200)
        assert statuses == [200]
        await bridge.reload(adaptive=True)
        assert await bridge.metric("adaptive_held", provider="openai") == 0


async def test_reloads_follow_one_another() -> None:
    """Two at once: the second reads when the first is applied; the loop goes on meanwhile."""
    reading, release = threading.Semaphore(0), threading.Semaphore(0)
    order: list[str] = []

    def read() -> Settings:
        order.append("read")
        reading.release()
        release.acquire(timeout=10)
        return Settings(max_concurrency=len(order))

    reloader = Reloader(
        read,
        Settings(),
        transports=lambda _: None,  # type: ignore[arg-type, return-value]
        apply=lambda prepared: order.append(f"apply {prepared.settings.max_concurrency}"),
        lifecycle=Lifecycle(),
        publish=lambda _: None,
    )
    reloader.began, reloader.ended = (lambda: order.append("began")), (lambda: order.append("ended"))
    order.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloader.reload, "a")
        nursery.start_soon(reloader.reload, "b")
        await trio.to_thread.run_sync(reading.acquire)
        await trio.sleep(0.05)
        assert repr(reloader) == "<Reloader at work>"
        release.release(2)
    assert order == ["began", "read", "apply 2", "ended", "began", "read", "apply 6", "ended"]


async def test_files_that_hang_end_the_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a writer, a disk on another machine: it says so; more reloads take no more threads."""
    monkeypatch.setattr("aibridge_trio.bridge.reloading.LONGEST_READ", 0.05)
    release = threading.Event()
    reading: list[int] = []

    def read() -> Settings:
        reading.append(threading.get_ident())
        release.wait(10)
        return Settings()

    reloader = Reloader(
        read,
        Settings(),
        transports=lambda _: None,  # type: ignore[arg-type, return-value]
        apply=lambda _: None,
        lifecycle=Lifecycle(),
        publish=lambda _: None,
    )
    for _ in range(5):
        mistake = (await reloader.reload("test")).mistake
        assert mistake == "the files were not read within 0.05 s; look for a disk or a pipe that hangs"
    assert len(reading) == 1
    release.set()
    monkeypatch.setattr("aibridge_trio.bridge.reloading.LONGEST_READ", 10)
    assert (await reloader.reload("test")).mistake is None


async def test_nothing_is_reloaded_during_a_drain(autojump_clock: MockClock, network: Network) -> None:
    """What is in flight ends as it began."""
    await network.answer("openai", lasting(5))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(Call(network).run)
        await trio.sleep(1)
        bridge.signals.send_nowait(15)
        await trio.sleep(1)
        assert len(bridge.published(LifecycleChanged)) == 2
        assert (await bridge.reload(max_concurrency=1)).mistake == "the bridge stops"


def test_a_certificate_that_is_replaced_meanwhile_is_a_mistake(tmp_path: object) -> None:
    """Validated a moment before, and unreadable now."""
    from pathlib import Path

    missing = Path(str(tmp_path)) / "none.pem"
    with pytest.raises(UsageError, match=r"^--tls-cert: the certificate does not load as PEM"):
        Prepared.of(Settings(tls_cert=missing, tls_key=missing))
