"""A rest: the load has paused, what is on its way comes to its end, and then the bridge is looked at."""

from __future__ import annotations

import trio

from bench.compare.process import Failed
from bench.soak.asks import PROVIDERS
from bench.soak.bridge import Bridge, Inside
from bench.soak.drift import Sample
from bench.soak.ends import BROKEN, connect
from bench.soak.operator import Operator, held
from bench.soak.outside import Outside
from bench.soak.providers import Providers
from bench.soak.reader import Ended, Reader

# How long (seconds) things may take to come to rest. Faults here end within some three seconds, connections are
# lingered behind for five; the rest is for a machine that others use.
SETTLE = 30.0
# How long (seconds) one request at rest may take.
_ANSWER = 30.0
_TICK = 0.05
_ROUTES = {"openai": b"/openai/v1/models", "anthropic": b"/anthropic/v1/models", "copilot": b"/copilot/models"}
_OK = 200


class Rests:
    """Takes samples of one bridge, and holds each against the first."""

    def __init__(self, bridge: Bridge, operator: Operator, providers: Providers) -> None:
        self.samples: list[Sample] = []
        self._bridge = bridge
        self._operator = operator
        self._providers = providers
        self._began = trio.current_time()

    async def take(self, requests: int) -> Sample:
        """Take a sample after so many requests."""
        await self._nothing_held()
        await self._close_kept_connections()
        # The exposition keeps some 12,000 blocks of text for its next scrape. Scrapes come by chance, so what they
        # keep is brought up to date at each rest.
        await self._operator.scrape()
        inside, outside = await self._settled()
        sample = Sample(
            requests=requests,
            seconds=trio.current_time() - self._began,
            resident=outside.resident,
            descriptors=outside.descriptors,
            tcp=outside.tcp,
            threads=outside.threads,
            tasks=inside.tasks,
            objects=inside.objects,
            blocks=inside.blocks,
            garbage=inside.garbage,
            held=await self._nothing_held(),
            kinds=inside.kinds,
        )
        self.samples.append(sample)
        return sample

    async def _nothing_held(self) -> dict[str, int]:
        """Wait until slots, permits and the like are back; return those that are not."""
        left: dict[str, int] = {}
        with trio.move_on_after(SETTLE):
            while left := held(await self._operator.status()):  # noqa: ASYNC110 - it is another process
                await trio.sleep(_TICK)
        return left

    async def _close_kept_connections(self) -> None:
        """See that the bridge keeps no connection to a provider, so that every one that is left is one too many.

        Once the providers have closed theirs, one more request each lets the bridge find that out, and its
        answer closes the last. A breaker that happens to be open must let it through.
        """
        self._providers.hang_up()
        for provider in PROVIDERS:
            await self._operator.override(provider, "close")
            await self._ask(_ROUTES[provider])
            await self._operator.override(provider, "auto")
        self._providers.resume()

    async def _ask(self, target: bytes) -> None:
        try:
            with trio.fail_after(_ANSWER):
                end = await connect(self._bridge.port)
                try:
                    await end.send(b"GET %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % target)
                    reader = Reader(end.hear)
                    head = await reader.head()
                    await reader.body(head)
                finally:
                    end.close()
        except (trio.TooSlowError, Ended, *BROKEN) as error:
            raise Failed(f"at rest, {target.decode()} has no answer: {error!r}") from error
        if head.status != _OK:
            raise Failed(f"at rest, {target.decode()} is answered with {head}")

    async def _settled(self) -> tuple[Inside, Outside]:
        """Look at it when it is as it was at first, or when that takes too long."""
        await self._nothing_held()
        until = trio.current_time() + SETTLE
        while True:
            outside = self._bridge.outside()
            if self._quiet(outside) or trio.current_time() > until:
                inside = await self._bridge.inside()
                at_first = not self.samples or inside.tasks <= self.samples[0].tasks
                if at_first or trio.current_time() > until:
                    # Behind the collection that the look inside begins with.
                    return inside, self._bridge.outside()
            await trio.sleep(_TICK)

    def _quiet(self, outside: Outside) -> bool:
        if not self.samples:
            return not outside.tcp
        first = self.samples[0]
        return outside.descriptors <= first.descriptors and outside.threads <= first.threads
