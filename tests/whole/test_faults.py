"""Whatever either side does, and whenever: nothing is leaked, and no caller gets a wrong answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.events import Bug, Finished
from aibridge_trio.http.response_parser import LAST_CHUNK, chunk
from tests.support import faults
from tests.support.faulty_providers import FaultyProvider, Plan, Reading
from tests.support.network import Running
from tests.support.peers import BROKEN, Asked, Ledger, Peer
from tests.support.pipes import End, Pipes, pair

# At random: 10,000 requests


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_nothing_is_left(seed: int) -> None:
    """Faults at random bytes on either side leave no resource in use, and every answer is true."""
    outcomes = faults.run(seed, faults.SHARD)
    assert outcomes["answered"] > faults.SHARD / 4
    # What was not reached was not shown.
    rejects = {"upstream_unreachable", "upstream_timeout", "body_too_large", "not_found"}
    assert {"cut off", "refused 400", "refused 408"} | rejects <= set(outcomes)


def test_a_seed_is_repeated_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed brings the same outcomes, and a failing run says which one it was."""
    assert faults.run(5, 200) == faults.run(5, 200)
    monkeypatch.setattr(faults, "_check", lambda *_: 1 / 0)
    with pytest.raises(BaseExceptionGroup) as caught:
        faults.run(6, 50)
    assert caught.value.__notes__ == ["seed 6, 50 requests"]


def test_a_range_of_seeds_is_run_to_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever fails in between: what failed is named last, with the command that repeats it."""
    ran: list[tuple[int, int]] = []

    def run(seed: int, requests: int) -> Counter[str]:
        ran.append((seed, requests))
        if seed == 7:
            raise AssertionError
        return Counter({"answered": requests})

    monkeypatch.setattr(faults, "run", run)
    with pytest.raises(SystemExit, match=r"1 of 4 seeds failed, .*scripts/faults --requests 2500 --seed 7$"):
        faults.main(["--seeds", "6-9"])
    assert ran == [(seed, faults.SHARD) for seed in range(6, 10)]
    ran.clear()
    faults.main(["--seeds", "8"])
    faults.main(["--requests", "3000", "--seed", "5"])
    assert ran == [(8, 2500), (5, 2500), (6, 500)]
    assert "3000  answered" in capsys.readouterr().out
    for wrong in ("9-6", "x", "-"):
        with pytest.raises(SystemExit):
            faults.main(["--seeds", wrong])


async def test_a_faulty_provider_loses_no_byte() -> None:
    """What comes behind a request is the next request's: also behind an early answer."""
    near, far = pair(1 << 20)
    ledger = Ledger()

    class Early(Plan):
        def __init__(self, draw: Random) -> None:
            super().__init__(draw)
            self.fault, self.status, self.nonsense = None, 200, ""
            self.early, self.framing, self.leaves = True, "sized", 0

    provider = FaultyProvider(ledger, Random(1), Early)
    ask = b"POST / HTTP/1.1\r\nhost: p\r\nx-request-id: %d\r\ncontent-length: 4\r\n\r\nbody"
    ledger.asked.update({name: Asked(b"body", b"/") for name in (b"1", b"2", b"3")})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(provider.serve, far)
        await near.send_all(b"".join(ask % n for n in (1, 2, 3)))
        near.finish()
        while await near.receive_some():
            pass
        nursery.cancel_scope.cancel()
    assert ledger.arrived == {b"1": 1, b"2": 1, b"3": 1}


# In turn: at every switch of tasks

HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: b\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS = [b'data: {"id":"1","choices":[{"delta":{"content":"%d"}}]}\n\n' % n for n in range(3)]
UNARY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"

ASKED = {
    "a small request": HEAD + b"content-length: 2\r\n\r\n{}",
    "a chunked one": HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"{") + chunk(b"}") + LAST_CHUNK,
    "an upload": HEAD + b"content-length: 300000\r\n\r\n" + b"x" * 300_000,
    "a pipeline": (HEAD + b"content-length: 2\r\n\r\n{}") * 3,
    "a caller that waits for a 100": HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n",
}
SAID = {
    "a stream": [STREAM, *map(chunk, EVENTS), LAST_CHUNK],
    "an answer": [UNARY],
    "an early refusal": [REFUSAL],
    "an answer until the close": [b"HTTP/1.1 200 OK\r\n\r\n{}"],
}
DONE: dict[str, Callable[[End], None]] = {"closes": End.close, "resets": End.reset, "says no more": End.finish}


class Provider:
    """Says its piece to every request, as soon as it has come or, if `early`, its head; `ends` are its ends."""

    def __init__(self, said: str) -> None:
        self.ends: list[End] = []
        self._said = SAID[said]
        self._early = "early" in said
        self._last = "close" in said

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Speak on one connection."""
        assert isinstance(stream, End)
        self.ends.append(stream)
        with suppress(*BROKEN):
            while await self._answer(stream) and not self._last:
                pass
        stream.close()

    async def _answer(self, end: End) -> bool:
        reading = Reading(Peer(end, Random(0), None))
        if not await reading.head() or not (self._early or await reading.rest() is not None):
            return False
        for piece in self._said:
            await end.send_all(piece)
        return not self._early or await reading.rest() is not None


async def nothing_left(network: Pipes, running: Running) -> None:
    """All is back, at once or as soon as a caller's rest is thrown away."""
    bridge = running.bridge
    await wait_all_tasks_blocked()
    assert bridge.admission.statistics().in_flight == 0
    assert [backend.circuits.statistics().probes for backend in bridge.router] == [0, 0, 0]
    assert network.pools()[0] == 0
    await trio.sleep(6)
    assert bridge.server.statistics().connections == 0
    assert network.open_ends() == network.pools()[1]


def half_open(running: Running) -> None:
    """Let every request be a probe, whose permit can be counted."""
    for mode in (Mode.OPEN, Mode.AUTO):
        for backend in running.bridge.router:
            backend.circuits.override(mode)


@pytest.mark.parametrize("done", DONE)
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("asked", ASKED)
async def test_at_every_switch_of_tasks_either_side_may_go(
    autojump_clock: MockClock, nursery: trio.Nursery, asked: str, said: str, done: str
) -> None:
    """A caller or its provider is gone at the first, the second, the n-th turn of the loop: all is given back."""
    network = Pipes(nursery, lambda: 1 << 20)
    provider = Provider(said)
    network.raw("openai", provider.serve)
    requests = ASKED[asked].count(HEAD)
    async with network.bridge(circuit_breaker=True, max_concurrency=5, log_level="error") as running:
        for whose in ("the caller", "the provider"):
            over, turns = False, 0
            while not over and turns < 60:
                half_open(running)
                before = len(running.published(Finished))
                caller = network.dial("bridge")
                caller.push(ASKED[asked])
                for _ in range(turns):
                    await trio.lowlevel.checkpoint()
                over = len(running.published(Finished)) == before + requests
                end = caller if whose == "the caller" else provider.ends[-1] if provider.ends else None
                if end:
                    DONE[done](end)
                await wait_all_tasks_blocked()
                caller.close()
                await nothing_left(network, running)
                turns += 1
            assert over or "waits" in asked
        assert running.published(Bug) == []
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("asked", ["a small request", "an upload", "a pipeline"])
async def test_at_every_switch_of_tasks_the_bridge_may_be_cut(
    autojump_clock: MockClock, nursery: trio.Nursery, asked: str
) -> None:
    """Two signals in the middle of anything end it, and no connection outlives it."""
    network = Pipes(nursery, lambda: 1 << 20)
    network.raw("openai", Provider("a stream").serve)
    for turn in range(40):
        async with network.bridge(log_level="error") as running:
            caller = network.dial("bridge")
            caller.push(ASKED[asked])
            for _ in range(turn):
                await trio.lowlevel.checkpoint()
            for _ in range(2):
                await running.signals.send(15)
            await running.ended.wait()
        await wait_all_tasks_blocked()
        assert running.exit_status in {0, 1}
        assert network.open_ends() == 0
        assert running.bridge.admission.statistics().in_flight == 0
    nursery.cancel_scope.cancel()
