"""The commands that ask running bridges, or give them an order."""

# ruff: noqa: PLC0415 - see main

from __future__ import annotations

from typing import Any, Literal

from aibridge_trio.cli.output import print_outcome, values

Mode = Literal["open", "close", "auto"]


def breaker(mode: Mode, provider: str, /, **flags: Any) -> int:
    """Override a provider's circuit breaker on a running bridge, or on each of several."""
    from aibridge_trio.cli.flags import BREAKER

    options = values(BREAKER, flags)
    from aibridge_trio.admin import orders

    return print_outcome(
        orders.override(
            options["url"],
            options["token"],
            provider,
            mode,
            lasting=options["for_"],
            reason=options["reason"] or "",
        )
    )


def explain(request_id: str = "", /, **flags: Any) -> int:
    """Say what a running bridge decided about a request.

    Without an id: the latest that were refused or failed.
    """
    from aibridge_trio.cli.flags import EXPLAIN

    options = values(EXPLAIN, flags)
    from aibridge_trio.admin import explaining

    return print_outcome(explaining.explain(options["url"], options["token"], request_id, as_json=options["json"]))


def reload(**flags: Any) -> int:
    """Let a running bridge reread its configuration, and print what has changed.

    A mistake in it changes nothing.
    """
    from aibridge_trio.cli.flags import RELOAD

    options = values(RELOAD, flags)
    from aibridge_trio.admin import orders

    return print_outcome(orders.reload(options["url"], options["token"]))
