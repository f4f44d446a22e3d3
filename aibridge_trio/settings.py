"""Every option of the bridge, once: name, default, environment, unit, help.

Flags, variables, keys of the file, help pages and documents are all made from `OPTIONS`.
"""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from aibridge_trio.addresses import ADDRESS, BASE_URL, NETWORKS, PROXY, Address, Network
from aibridge_trio.units import (
    BOOLEAN,
    COUNT,
    DURATION,
    FILE,
    POSITIVE,
    SECRET,
    SIZE,
    SPAN,
    TEXT,
    TIMEOUT,
    Secret,
    choice,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aibridge_trio.units import Unit

__all__ = ["CONFIG", "OPTIONS", "Address", "Network", "Option", "Secret", "Settings"]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "human", "json"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing that can be set. `default` is text, as a user would write it; None is none.

    `variables` are read in this order, then `secret_file`, which names a file with the value in it. Without
    flag and key if `private`: `ps` shows flags, and a file travels. A `repeatable` flag may be given again.
    """

    name: str
    unit: Unit[Any]
    default: str | None
    help: str
    group: str = "Options"
    variables: tuple[str, ...] = ()
    secret_file: str | None = None
    private: bool = False
    repeatable: bool = False

    @property
    def flag(self) -> str | None:
        """`--rate-limit`."""
        return None if self.private else "--" + self.name.replace("_", "-")

    @property
    def switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.unit is BOOLEAN

    @property
    def negative(self) -> str | None:
        """`--no-circuit-breaker`, for a switch that something else than its flag could have switched on."""
        return f"--no-{self.flag[2:]}" if self.flag and self.switch and self.variables else None

    @property
    def key(self) -> str | None:
        """The key in the configuration file: `rate_limit`."""
        return None if self.private else self.name

    @property
    def all_variables(self) -> tuple[str, ...]:
        """The variables, and the one that names a file."""
        return (*self.variables, self.secret_file) if self.secret_file else self.variables

    @property
    def label(self) -> str:
        """What to call the option: its flag, else its variable."""
        return self.flag or self.variables[-1]

    @property
    def example(self) -> str:
        """A value that would do."""
        return self.unit.example if self.default in {None, "", "0", "0s", "false"} else str(self.default)

    def show(self, value: object) -> str:
        """The value as text without secrets; `none` where there is none."""
        return "none" if value is None else self.unit.show(value) or "none"


def option(
    unit: Unit[Any],
    default: str | None,
    group: str,
    text: str,
    *,
    also: tuple[str, ...] = (),
    private: tuple[str, ...] = (),
) -> Any:
    """Describe a field of `Settings`: its variable is AIBRIDGE_NAME, then `also`; or only `private`."""
    described = Option(
        name="",
        unit=unit,
        default=default,
        group=group,
        help=text,
        variables=private or also,
        secret_file=f"{private[0]}_FILE" if unit is SECRET else None,
        private=bool(private),
    )
    return field(default=None if default is None else unit.parse(default), metadata={"option": described})


LISTENERS, LIMITS, BREAKER, PROVIDERS, UPSTREAM, LIFE = (
    "Listeners",
    "Limits",
    "Circuit breaker",
    "Providers",
    "Upstream",
    "Life and logs",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the bridge is told. Durations are seconds, `math.inf` where a timeout is off; sizes are bytes."""

    bind: Address = option(ADDRESS, "127.0.0.1:4001", LISTENERS, "Where callers connect.")
    admin_bind: Address = option(
        ADDRESS,
        "127.0.0.1:4002",
        LISTENERS,
        "Health, metrics, status and operator actions; off loopback only with --admin-token-file.",
    )
    admin_token_file: Path | None = option(
        FILE, None, LISTENERS, "A file with the token that the admin listener asks for."
    )
    tls_cert: Path | None = option(FILE, None, LISTENERS, "Certificate chain for callers, PEM; with --tls-key.")
    tls_key: Path | None = option(FILE, None, LISTENERS, "Its private key, PEM, without a passphrase.")
    trusted_proxies: tuple[Network, ...] = option(
        NETWORKS, "", LISTENERS, "Networks whose X-Forwarded-For is believed."
    )
    allow_anonymous: bool = option(BOOLEAN, "false", LISTENERS, "Permit a central key on a listener off loopback.")

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
    # Images and long contexts in base64 stay below it: Anthropic's own limit is 32 MB.
    max_body: int = option(SIZE, "32MiB", LIMITS, "The longest request body; longer ones get 413.")
    max_connections: int = option(
        COUNT, "0", LIMITS, "Callers' open connections; 0 is half as many as there are descriptors."
    )
    max_connections_per_address: int = option(
        COUNT, "0", LIMITS, "Open connections of one address, trusted proxies' too; 0 is unlimited."
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

    openai_base_url: str = option(BASE_URL, "https://api.openai.com/v1", PROVIDERS, "OpenAI upstream.")
    anthropic_base_url: str = option(BASE_URL, "https://api.anthropic.com", PROVIDERS, "Anthropic upstream.")
    copilot_base_url: str = option(BASE_URL, "https://api.githubcopilot.com", PROVIDERS, "Copilot upstream.")
    openai_api_key: Secret | None = option(
        SECRET, None, PROVIDERS, "Central key for OpenAI.", private=("OPENAI_API_KEY",)
    )
    anthropic_api_key: Secret | None = option(
        SECRET, None, PROVIDERS, "Central key for Anthropic.", private=("ANTHROPIC_API_KEY",)
    )
    forward_caller_keys: bool = option(
        BOOLEAN, "false", PROVIDERS, "With a central key: still forward a credential that the caller brought."
    )

    upstream_proxy: Secret | None = option(
        PROXY, None, UPSTREAM, "Proxy on the way to every provider; else HTTPS_PROXY."
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
    idle_timeout: float = option(TIMEOUT, "5m", UPSTREAM, "Silence in a stream; 0s is off.")

    drain_delay: float = option(
        DURATION, "0s", LIFE, "After a stop signal: how long new requests are still answered, with 503."
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
        import urllib.request  # noqa: PLC0415 - 30 ms that few need

        bypassed = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # typeshed omits it
            rest.partition("/")[0], {"no": self.no_proxy or ""}
        )
        return None if bypassed else self.https_proxy

    def warnings(self) -> tuple[str, ...]:
        """What is allowed but deserves a second look, a line each."""
        if self.has_central_key and not self.bind.is_loopback:
            return (f"--allow-anonymous: whoever can connect to {self.bind} uses the central key",)
        return ()


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
