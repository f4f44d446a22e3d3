"""What the options of the store must meet, and warnings about valid ones."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from aibridge_trio.config import files
from aibridge_trio.config.store_url import store_address
from aibridge_trio.config.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aibridge_trio.config.origin import Origin
    from aibridge_trio.config.settings import Settings

# Seconds; the store takes what a replica holds that has been silent for 3 s.
LONGEST_TIMEOUT = 1.0


def check_store(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Require the package that connects to Redis, authorities that load, a short timeout. Raises UsageError."""
    if settings.store_timeout > LONGEST_TIMEOUT:
        problem = f"{show_duration(settings.store_timeout)} is longer than {show_duration(LONGEST_TIMEOUT)}"
        raise origins["store_timeout"].usage_error(problem, "write a shorter one, such as 50ms")
    if not settings.store:
        return
    if find_spec("coredis") is None:
        problem = "the package that connects to Redis is not installed"
        raise origins["store"].usage_error(problem, "pip install 'aibridge-trio[redis]'")
    if authorities := store_address(settings.store).ca:
        origins["store"].check_file(
            files.check_authorities, authorities, remedy="name a PEM file with certificates"
        )


def store_warnings(settings: Settings) -> Iterator[str]:
    """Yield a line if what the store is sent can be read on the network."""
    if settings.store and (hosts := store_address(settings.store).in_clear):
        yield f"--store: limits and password go to {hosts} in clear text; write rediss:// if it serves TLS"


def without_store(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """Yield a line for each option of the store that was `given` where there is none."""
    for name in ("store_prefix", "store_failure", "store_timeout"):
        if name in given and not settings.store:
            yield f"--{name.replace('_', '-')}: does nothing; there is no --store"
