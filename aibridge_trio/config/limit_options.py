"""The options that limit requests, bodies and connections, and that put protections in shadow."""

from __future__ import annotations

from dataclasses import dataclass

from aibridge_trio.config.option import option
from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.config.units import BOOLEAN, COUNT, DURATION, SIZE, SPAN, several

LIMITS = "Limits"


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """The values of the limits' options; `Settings` inherits them."""

    max_concurrency: int = option(
        COUNT,
        "0",
        LIMITS,
        "Maximum requests in flight, per replica; 0 is unlimited.",
        also=("CODER_AIBRIDGE_MAX_CONCURRENCY",),
    )
    rate_limit: int = option(
        COUNT,
        "0",
        LIMITS,
        "Maximum requests per second of one caller, per replica; 0 is off.",
        also=("CODER_AIBRIDGE_RATE_LIMIT",),
    )
    max_concurrency_per_caller: int = option(
        COUNT, "0", LIMITS, "Maximum requests in flight of one caller; 0 is unlimited."
    )
    max_concurrency_per_provider: int = option(
        COUNT, "0", LIMITS, "Maximum requests in flight to one provider; 0 is unlimited."
    )
    queue_size: int = option(
        COUNT,
        "0",
        LIMITS,
        "Maximum requests that wait for a free slot or for their caller's rate limit; 0 is no queue.",
    )
    queue_timeout: float = option(SPAN, "10s", LIMITS, "Maximum time a request waits in the queue.")
    adaptive: bool = option(
        BOOLEAN,
        "false",
        LIMITS,
        "Learn how much each provider takes; hold requests instead of rejecting them, and send them again.",
    )
    hold_keepalive: float = option(
        DURATION,
        "0s",
        LIMITS,
        "With --adaptive: interval of comments in the stream of a request that is held; 0s is none.",
    )
    shadow: tuple[str, ...] = option(
        several(*PROTECTIONS),
        "",
        LIMITS,
        f"Protections in shadow mode: count what they would reject, but admit it: {', '.join(PROTECTIONS)}.",
    )
    # Anthropic's own limit is 32 MB.
    max_body: int = option(SIZE, "32MiB", LIMITS, "Maximum size of a request body; a larger one gets 413.")
    max_buffered: int = option(
        SIZE,
        "256MiB",
        LIMITS,
        "Memory for request bodies read before they are forwarded, half of it for one caller; beyond it 503.",
    )
    max_connections: int = option(
        COUNT, "0", LIMITS, "Maximum open connections of callers; 0 is half the file descriptors, at most 4096."
    )
    max_connections_per_address: int = option(
        COUNT,
        "0",
        LIMITS,
        "Maximum open connections of one address; 0 is half of all off loopback, no limit for trusted proxies.",
    )
    # Clients keep idle connections for up to 90 s (hyper), load balancers for longer (Google's for 600 s).
    keep_alive_timeout: float = option(
        SPAN,
        "2m",
        LIMITS,
        "How long a caller's idle connection stays open; set it longer than a load balancer in front does.",
    )
