"""The options of what replicas share."""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aibridge_trio.config.option import option
from aibridge_trio.config.store_url import PREFIX, STORE
from aibridge_trio.config.units import SPAN, WORKERS, Secret, choice

REPLICAS = "Replicas"

StoreFailure = Literal["local", "closed"]


@dataclass(frozen=True, kw_only=True)
class SharingOptions:
    """The values of the options; `Settings` inherits them."""

    store: Secret | None = option(
        STORE,
        None,
        REPLICAS,
        "Redis or Valkey that replicas share limits in: redis://, rediss://, unix://, redis+sentinel://, "
        "redis+cluster://.",
        file="AIBRIDGE_STORE_FILE",
    )
    store_prefix: str = option(
        PREFIX,
        "aibridge",
        REPLICAS,
        "Beginning of all keys in the store; replicas with the same one share their limits.",
    )
    store_failure: StoreFailure = option(
        choice("local", "closed"),
        "local",
        REPLICAS,
        "While the store is away: each replica has its part of each limit, or rejects requests.",
    )
    store_timeout: float = option(
        SPAN, "50ms", REPLICAS, "How long a request waits for the store at most, 1s at the longest."
    )
    workers: int = option(
        WORKERS,
        "1",
        REPLICAS,
        "Processes that serve callers, at most 64; more than one have a supervisor, and their limits are common.",
    )
