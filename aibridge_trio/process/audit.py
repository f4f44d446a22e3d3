"""What the audit log records: who changed what in a running bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What an operator showed: the admin listener's token, or nothing because it requires none.
Shown = Literal["admin token", "no token"]


@dataclass(frozen=True, slots=True)
class Audited:
    """An operator at `peer` (None: a unix socket) ordered something on the admin listener, and the `outcome`.

    `target` is the provider of an override; `detail` is what was ordered, or what has changed, as text.
    """

    action: Literal["override", "reload"]
    target: str | None
    detail: str
    by: Shown
    peer: str | None
    outcome: str
