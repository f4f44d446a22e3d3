"""What a bridge saves for the one that comes after it: budgets, breakers, and what was learned of providers.

What is older than ten minutes is not used, but for budgets: a provider may be well by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from aibridge_trio.core.adaptive.governor_snapshot import restore_governor, snapshot_of
from aibridge_trio.core.budgets import Snapshot
from aibridge_trio.core.snapshots import Saved, number
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.gateway.spending import Spending

# How old breakers and learned limits may be (seconds).
_OUT_OF_DATE = 600.0


class OwnState:
    """The state of this process; `warn` gets a line about a part that is damaged."""

    def __init__(self, backends: Iterable[Backend], spending: Spending, warn: Callable[[str, str], None]) -> None:
        self._backends = backends
        self._budgets = spending.budgets
        self._clock = spending.clock
        self._wall_clock = spending.wall_clock
        self._warn = warn
        self._taken: Snapshot | None = None  # the budgets that were taken over

    def take(self, saved: Saved, *, learned: bool) -> None:
        """Take over what was saved; of budgets what has come since the last time. Parts may be missing.

        Raises ValueError for times or budgets that are none; any other part that is damaged is left out.
        """
        elapsed = max(0.0, self._wall_clock() - number(saved, "saved_at"))
        if "budgets" in saved:
            self._taken = self._budgets.restore(saved["budgets"], self._taken)
        providers = saved.get("providers")
        if not learned or elapsed > _OUT_OF_DATE or not isinstance(providers, dict):
            return
        for backend in self._backends:
            if isinstance(of_backend := providers.get(backend.name), dict):
                try:
                    self._take_learned(backend, of_backend, elapsed)
                except ValueError:
                    self._warn(f"state file: what it has of {backend.name} is damaged, and ignored", "state")

    async def snapshot(self) -> Callable[[], Saved]:
        """Return what gives what is to be saved: it runs in a thread."""
        await trio.lowlevel.checkpoint()
        learned = self.learned()
        return lambda: {**learned, "budgets": self._budgets.snapshot()}

    def learned(self) -> Saved:
        """Return what is saved but for budgets."""
        providers = {backend.name: self._learned(backend) for backend in self._backends}
        return {"saved_at": round(self._wall_clock(), 3), "providers": providers}

    def budgets(self) -> Snapshot:
        """Return what callers have spent."""
        return self._budgets.snapshot()

    def _take_learned(self, backend: Backend, saved: Saved, elapsed: float) -> None:
        breakers, learned = saved.get("breakers"), saved.get("learned")
        if backend.circuits.enabled and isinstance(breakers, dict):
            backend.circuits.restore(breakers, elapsed)
        if backend.adaptive and isinstance(learned, dict):
            restore_governor(backend.adaptive.limiter.governor, learned, self._clock(), elapsed)

    def _learned(self, backend: Backend) -> Saved:
        limiter = backend.adaptive.limiter if backend.adaptive else None
        return {
            "breakers": backend.circuits.snapshot() if backend.circuits.enabled else None,
            "learned": snapshot_of(limiter.governor, self._clock()) if limiter else None,
        }

    def __repr__(self) -> str:
        return f"<OwnState {self._budgets!r}>"
