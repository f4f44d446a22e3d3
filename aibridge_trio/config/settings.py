"""Every option of the bridge, once: name, default, environment, unit, help.

Flags, variables, keys of the file, help pages and documents are all made from `OPTIONS`.
"""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from aibridge_trio.config.addresses import BASE_URL, PROXY, Address, Bind, Network, UnixSocket, bypasses
from aibridge_trio.config.conflicts import contradictions
from aibridge_trio.config.listener_options import Listeners
from aibridge_trio.config.option import Option, option
from aibridge_trio.config.startup_warnings import startup_warnings
from aibridge_trio.config.units import (
    BOOLEAN,
    COUNT,
    DURATION,
    FILE,
    HEADER_VALUE,
    MODELS,
    POSITIVE,
    SECRET,
    SIZE,
    SPAN,
    TEXT,
    TIMEOUT,
    Secret,
    choice,
    several,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = [
    "CONFIG",
    "OPTIONS",
    "PROTECTIONS",
    "Address",
    "Bind",
    "Network",
    "Option",
    "Secret",
    "Settings",
    "UnixSocket",
]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "human", "json"]
Scope = Literal["provider", "endpoint", "model"]
Blame = Literal["provider", "credential"]
# What can be in shadow, and the reason of its rejects.
PROTECTIONS = {
    "concurrency": "capacity",
    "concurrency-per-caller": "caller_capacity",
    "concurrency-per-provider": "provider_capacity",
    "rate": "rate_limit",
    "breaker": "circuit_open",
    "credential": "credential_cooldown",
}


_HTTPS_PORT = 443

LIMITS, BREAKER, PROVIDERS, UPSTREAM, LIFE = (
    "Limits",
    "Circuit breaker",
    "Providers",
    "Upstream",
    "Life and logs",
)


@dataclass(frozen=True, kw_only=True)
class Settings(Listeners):
    """What the bridge is told. Durations are seconds, `math.inf` where a timeout is off; sizes are bytes."""

    max_concurrency: int = option(
        COUNT,
        "0",
        LIMITS,
        "Requests in flight, per replica; 0 is unlimited.",
        also=("CODER_AIBRIDGE_MAX_CONCURRENCY",),
    )
    rate_limit: int = option(
        COUNT,
        "0",
        LIMITS,
        "Requests per second and caller, per replica; 0 is off.",
        also=("CODER_AIBRIDGE_RATE_LIMIT",),
    )
    max_concurrency_per_caller: int = option(
        COUNT, "0", LIMITS, "Requests in flight of one caller; 0 is unlimited."
    )
    max_concurrency_per_provider: int = option(
        COUNT, "0", LIMITS, "Requests in flight to one provider; 0 is unlimited."
    )
    queue_size: int = option(
        COUNT, "0", LIMITS, "Requests that may wait for a slot, a share or their caller's rate; 0 is no queue."
    )
    queue_timeout: float = option(SPAN, "10s", LIMITS, "The longest wait in the queue.")
    shadow: tuple[str, ...] = option(
        several(*PROTECTIONS),
        "",
        LIMITS,
        f"Protections that count what they would reject, and reject nothing: {', '.join(PROTECTIONS)}.",
    )
    # Images and long contexts in base64 stay below it: Anthropic's own limit is 32 MB.
    max_body: int = option(SIZE, "32MiB", LIMITS, "The longest request body; longer ones get 413.")
    max_buffered: int = option(
        SIZE,
        "256MiB",
        LIMITS,
        "All bodies together that are read before they go up, half of it for one caller alone; beyond it 503.",
    )
    max_connections: int = option(
        COUNT, "0", LIMITS, "Callers' open connections; 0 is half as many as there are descriptors, 4096 at most."
    )
    max_connections_per_address: int = option(
        COUNT,
        "0",
        LIMITS,
        "Open connections of one address; 0 is half of all off loopback, but for trusted proxies.",
    )
    # Pools of clients keep idle connections for up to 90 s (hyper), balancers longer (Google's 600 s).
    keep_alive_timeout: float = option(
        SPAN,
        "2m",
        LIMITS,
        "How long a caller's connection may idle; longer than a balancer in front keeps its own.",
    )

    circuit_breaker: bool = option(BOOLEAN, "false", BREAKER, "One circuit breaker per provider.")
    circuit_breaker_failure_threshold: int = option(
        POSITIVE, "5", BREAKER, "Failures inside the window that open it."
    )
    circuit_breaker_window: float = option(SPAN, "10s", BREAKER, "How long a failure counts.")
    circuit_breaker_cooldown: float = option(SPAN, "30s", BREAKER, "Time open before probing.")
    circuit_breaker_half_open_max_requests: int = option(
        POSITIVE, "3", BREAKER, "Probes in flight at once, and successes needed to close."
    )

    circuit_breaker_max_cooldown: float = option(
        SPAN, "5m", BREAKER, "The longest cooldown: told by the provider, or after several trips in a row."
    )
    circuit_breaker_429: Blame = option(
        choice("provider", "credential"),
        "provider",
        BREAKER,
        "Whom a 429 for a caller's own key speaks of: the provider, or that key alone, which then rests.",
    )
    circuit_breaker_scope: Scope = option(
        choice("provider", "endpoint", "model"), "provider", BREAKER, "What has a breaker of its own."
    )
    circuit_breaker_models: tuple[str, ...] = option(
        MODELS, "", BREAKER, "For scope model: names, or beginnings with *; all others share one breaker."
    )
    circuit_breaker_slow_first_byte: float = option(
        TIMEOUT, "0s", BREAKER, "A first byte later than this is a failure; 0s is off."
    )
    circuit_breaker_ramp: float = option(
        DURATION, "0s", BREAKER, "After closing: how long until all requests are admitted again."
    )

    openai_base_url: str = option(BASE_URL, "https://api.openai.com/v1", PROVIDERS, "OpenAI upstream.")
    anthropic_base_url: str = option(BASE_URL, "https://api.anthropic.com", PROVIDERS, "Anthropic upstream.")
    copilot_base_url: str = option(BASE_URL, "https://api.githubcopilot.com", PROVIDERS, "Copilot upstream.")
    openai_api_key: Secret | None = option(
        SECRET, None, PROVIDERS, "Central key for OpenAI.", private=("OPENAI_API_KEY",)
    )
    anthropic_api_key: Secret | None = option(
        SECRET, None, PROVIDERS, "Central key for Anthropic.", private=("ANTHROPIC_API_KEY",)
    )
    openai_organization: str | None = option(
        HEADER_VALUE, None, PROVIDERS, "Sent beside the central key for OpenAI, as OpenAI-Organization."
    )
    openai_project: str | None = option(
        HEADER_VALUE, None, PROVIDERS, "Sent beside the central key for OpenAI, as OpenAI-Project."
    )
    stored_references: bool = option(
        BOOLEAN,
        "true",
        PROVIDERS,
        "With a central key: bodies may name stored data, like previous_response_id; else they get 403.",
    )
    forward_caller_keys: bool = option(
        BOOLEAN, "false", PROVIDERS, "With a central key: still forward a credential that the caller brought."
    )

    upstream_proxy: Secret | None = option(
        PROXY, None, UPSTREAM, "Proxy to every provider; else HTTPS_PROXY.", file="AIBRIDGE_UPSTREAM_PROXY_FILE"
    )
    https_proxy: Secret | None = option(
        PROXY,
        None,
        UPSTREAM,
        "Proxy for https:// upstreams that NO_PROXY does not name, without --upstream-proxy.",
        private=("https_proxy", "HTTPS_PROXY"),
    )
    no_proxy: str | None = option(
        TEXT, None, UPSTREAM, "Hosts that HTTPS_PROXY is not for.", private=("no_proxy", "NO_PROXY")
    )
    upstream_ca: Path | None = option(FILE, None, UPSTREAM, "Certificates to trust upstream, PEM.")
    connect_timeout: float = option(TIMEOUT, "10s", UPSTREAM, "TCP and TLS together; 0s is off.")
    first_byte_timeout: float = option(TIMEOUT, "10m", UPSTREAM, "Until the response head; 0s is off.")
    max_duration: float = option(
        TIMEOUT, "0s", UPSTREAM, "A request's whole time at its provider, answer included; 0s is off."
    )
    idle_timeout: float = option(TIMEOUT, "5m", UPSTREAM, "Silence in a stream; 0s is off.")

    drain_delay: float = option(
        DURATION, "0s", LIFE, "After a stop signal: how long requests are still served, while /readyz says 503."
    )
    graceful_timeout: float = option(
        TIMEOUT, "30s", LIFE, "Then: how long running streams may take to finish; 0s is no limit."
    )
    log_level: LogLevel = option(
        choice("debug", "info", "warning", "error"), "info", LIFE, "The least level that is logged; stderr."
    )
    log_format: LogFormat = option(
        choice("auto", "human", "json"), "auto", LIFE, "auto: human on a terminal, else JSON lines."
    )

    # Not an option: what `admin_token_file` held when it was read.
    admin_token: Secret | None = None

    @property
    def has_central_key(self) -> bool:
        """Whether any provider is called with the bridge's own key."""
        return bool(self.openai_api_key or self.anthropic_api_key)

    def proxy_for(self, base_url: str) -> Secret | None:
        """The proxy on the way to this upstream, None for the straight way."""
        if self.upstream_proxy:
            return self.upstream_proxy
        scheme, _, rest = base_url.partition("://")
        if scheme != "https" or not self.https_proxy:
            return None
        return None if bypasses(self.no_proxy or "", rest.partition("/")[0], _HTTPS_PORT) else self.https_proxy

    def protections(self) -> tuple[str, ...]:
        """What is on, in a few words each; what is in shadow is said to be."""
        threshold, window = self.circuit_breaker_failure_threshold, self.circuit_breaker_window
        said = {
            "concurrency": self.max_concurrency and f"at most {self.max_concurrency} in flight",
            "concurrency-per-caller": self.max_concurrency_per_caller
            and f"{self.max_concurrency_per_caller} in flight a caller",
            "concurrency-per-provider": self.max_concurrency_per_provider
            and f"{self.max_concurrency_per_provider} in flight a provider",
            "queue": self.queue_size and f"a queue of {self.queue_size}",
            "rate": self.rate_limit and f"{self.rate_limit} requests/s a caller",
            "breaker": self.circuit_breaker and f"circuit breakers ({threshold} failures in {window:g} s)",
        }
        return tuple(f"{text}{' in shadow' * (name in self.shadow)}" for name, text in said.items() if text)

    def suggestions(self) -> tuple[str, ...]:
        """What this configuration could do better, a line each."""
        keys = {"openai": self.openai_api_key, "anthropic": self.anthropic_api_key}
        own = [name for name, key in keys.items() if self.forward_caller_keys or not key]
        if not (own and self.circuit_breaker and self.circuit_breaker_429 == "provider"):
            return ()
        said = f"callers' own keys go up to {' and '.join(own)}: --circuit-breaker-429 credential"
        return (f"{said} lets a key that is told to wait rest alone",)

    def warnings(self, given: Collection[str] = ()) -> tuple[str, ...]:
        """What is allowed but deserves a second look, a line each; `given` has been set, if only to a default."""
        return (*startup_warnings(self), *contradictions(self, given))


def _described() -> Iterator[Option]:
    for f in fields(Settings):
        if described := f.metadata.get("option"):
            ours = () if described.private else (f"AIBRIDGE_{f.name.upper()}",)
            yield replace(described, name=f.name, variables=ours + described.variables)


OPTIONS: tuple[Option, ...] = tuple(_described())

CONFIG = Option(
    name="config",
    unit=FILE,
    default=None,
    group="Configuration",
    help="A TOML file; its keys are the flags' names with _ for -.",
    variables=("AIBRIDGE_CONFIG",),
)
