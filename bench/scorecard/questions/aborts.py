"""Callers who leave, and callers who stay and do not read."""

from __future__ import annotations

import trio

from bench.scorecard.asking import question
from bench.scorecard.caller import Broken, Call, calling
from bench.scorecard.caller import question as body
from bench.scorecard.endless import endless
from bench.scorecard.scene import No, Scene, milliseconds, rejected
from bench.scorecard.terms import Setup

_TICK = 0.02
_OK = 200
# What the kernel may take in for a stalled reader (bytes).
_WINDOW = 4096


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
    """A caller takes the head of an endless stream and no more: its request ends at the provider.

    The provider waits for ever, so it is the gateway that ends it. What is left of the stream must not look whole,
    and the next request is served.
    """
    terms = scene.terms
    await trio.to_thread.run_sync(scene.provider.stop)
    try:
        async with (
            endless(scene.provider.port) as provider,
            calling(scene.gate.way.port, window=_WINDOW) as call,
        ):
            await call.send(scene.gate.way.request("a", body(stream=True)))
            with trio.move_on_after(terms.patience):
                status, _ = await call.head()
                if status != _OK:
                    raise No(f"a stream was answered with {status}")
            if not provider.begun.is_set():
                raise No(f"a stream did not reach the provider within {terms.patience:g} s")
            began = trio.current_time()
            with trio.move_on_after(terms.stall):
                await provider.gone.wait()
            took = trio.current_time() - began
            if not provider.gone.is_set():
                raise No(f"still at the provider after {terms.stall:g} s without reading")
            if await _whole(call, terms.patience):
                raise No(f"not dropped: ended well after {took:.1f} s without reading")
    finally:
        with trio.CancelScope(shield=True):
            await scene.provider.start()
    answer = await scene.ask()
    if answer.status != _OK:
        raise No(f"gone from the provider after {took:.1f} s, but the next one answered with {answer}")
    return f"dropped after {took:.1f} s without reading"


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
