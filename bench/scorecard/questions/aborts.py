"""Callers who leave, and callers who stay and do not read."""

from __future__ import annotations

import trio

from bench.scorecard.asking import question
from bench.scorecard.caller import Broken, Call, calling
from bench.scorecard.caller import question as body
from bench.scorecard.scene import No, Scene, milliseconds, rejected
from bench.scorecard.terms import Setup

_TICK = 0.02
_PAUSE = 0.2
_OK = 200
_EVENT = (
    'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%d %s"}}]}\n\n'
)
# A stalled reader's window (bytes), and by how much a stream must be longer than what is taken in for it. The rest
# waits on the gateway's other side, where more than 2 MB have room, so that the provider never waits.
_WINDOW = 4096
_MORE = 768 * 1024
_SIZE = 900


def _kinds() -> tuple[tuple[str, bool], ...]:
    return ("streamed", True), ("unary", False)


@question(3, "slot back within 1 s of an abort, streamed and not", Setup.FULL)
async def slot_back(scene: Scene) -> str:
    """With all slots taken one caller leaves, and another one is served."""
    found = []
    for kind, stream in _kinds():
        async with scene.full(but=1):
            async with scene.holding(stream=stream):
                answer = await scene.ask()
                if not rejected(answer):
                    raise No(f"there is no last slot: one more answered with {answer}")
            left = trio.current_time()
            while (answer := await scene.ask()).status != _OK:
                if trio.current_time() > left + scene.terms.back:
                    raise No(f"{kind}: {answer} {trio.current_time() - left:.1f} s after the abort")
                await trio.sleep(_TICK)
            found.append(f"{kind} after {milliseconds(trio.current_time() - left)}")
        await scene.rest()
    return ", ".join(found)


@question(4, "abort reaches upstream, streamed and not", Setup.FULL)
async def abort_reaches_upstream(scene: Scene) -> str:
    """A caller leaves; within a second the provider sees its caller leave."""
    found = []
    for kind, stream in _kinds():
        before = (await scene.provider.stats())["aborted"]
        async with scene.holding(stream=stream):
            pass
        left = trio.current_time()
        while (await scene.provider.stats())["aborted"] == before:
            if trio.current_time() > left + scene.terms.back:
                raise No(f"{kind}: the provider works on, {scene.terms.back:g} s after the abort")
            await trio.sleep(_TICK)
        found.append(f"{kind} after {milliseconds(trio.current_time() - left)}")
    return ", ".join(found)


@question(16, "stalled reader dropped", Setup.FULL, deadline=lambda terms: terms.stall + terms.deadline)
async def stalled_reader(scene: Scene) -> str:
    """A caller takes the head of a long stream and no more; its request ends at the provider, others are served.

    The stream says more than a socket takes in, less than the sockets on both sides of a gateway do, and goes on:
    the provider never waits for its reader, and never falls silent. What is left of it must not look whole.
    """
    await scene.provider.script(await _long_stream(scene.terms.stall))
    async with calling(scene.gate.way.port, window=_WINDOW) as call:
        await call.send(scene.gate.way.request("a", body(stream=True)))
        with trio.move_on_after(scene.terms.patience):
            status, _ = await call.head()
            if status != _OK:
                raise No(f"a stream was answered with {status}")
        began = trio.current_time()
        while await scene.provider.in_flight():
            if trio.current_time() > began + scene.terms.stall:
                raise No(f"still at the provider after {scene.terms.stall:g} s without reading")
            await trio.sleep(_TICK * 10)
        took = trio.current_time() - began
        answer = await scene.ask()
        if answer.status != _OK:
            raise No(f"gone from the provider after {took:.1f} s, but the next one answered with {answer}")
        if await _whole(call, scene.terms.patience):
            raise No(f"not dropped: all of it was kept for {took:.1f} s, and is read now")
    return f"dropped after {took:.1f} s without reading"


async def _long_stream(seconds: float) -> dict[str, object]:
    # Each event says something else: some gateways take a model that repeats itself for a broken one.
    events = range((await _taken_in() + _MORE) // _SIZE)
    chunks = ["".join(_EVENT % (each, "x" * _SIZE) for each in events)]
    chunks += [_EVENT % (each, "y") for each in range(int(seconds + 5))]
    return {"chunks": chunks, "chunk_delay": 1.0, "fault": "stall", "after": len(chunks)}


async def _taken_in() -> int:
    """Return how many bytes this machine takes in for a reader who does not read, on both sides together."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sent = 0
    async with listener, calling(listener.socket.getsockname()[1], window=_WINDOW):
        stream = await listener.accept()
        async with stream:
            with trio.move_on_after(_PAUSE) as silence:
                while True:
                    sent += await stream.socket.send(b"x" * 4096)
                    silence.deadline = trio.current_time() + _PAUSE
    return sent


async def _whole(call: Call, patience: float) -> bool:
    """Read what there is; tell whether it came to an end of its own."""
    with trio.move_on_after(patience):
        try:
            while await call.more():
                pass
        except Broken:
            return False
        return True
    return False
