"""Whether the bridge is starting, serving or draining."""

from __future__ import annotations

from typing import Literal

from aibridge_trio.errors import ShuttingDown


class Life:
    """The bridge's phase; it only ever goes forward."""

    def __init__(self) -> None:
        self.phase: Literal["starting", "serving", "draining"] = "starting"

    def admit(self) -> None:
        """Let a request in, or raise ShuttingDown."""
        if self.phase == "draining":
            raise ShuttingDown

    def __repr__(self) -> str:
        return f"<Life {self.phase}>"
