"""All options of `aibridge serve`: name, unit, default, variables and help of each.

Command-line flags, environment variables, keys of the configuration file, help pages and man pages are generated
from `OPTIONS`. Four groups have a module of their own: `listener_options`, `limit_options`, `sharing_options`,
`breaker_options`.
"""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from aibridge_trio.config.addresses import BASE_URL, PROXY, Address, Bind, Network, UnixSocket, bypasses
from aibridge_trio.config.breaker_options import BREAKER, BreakerOptions, CountsAgainst, Scope
from aibridge_trio.config.collector_headers import COLLECTOR_HEADERS
from aibridge_trio.config.conflicts import contradictions
from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.limit_options import LIMITS, LimitOptions
from aibridge_trio.config.listener_options import Listeners
from aibridge_trio.config.option import Option, option
from aibridge_trio.config.protections import described, suggestions
from aibridge_trio.config.provider_tables import ProviderTable, RouteTable, effective
from aibridge_trio.config.sharing_options import SharingOptions
from aibridge_trio.config.startup_warnings import startup_warnings
from aibridge_trio.config.table_warnings import table_warnings
from aibridge_trio.config.units import (
    BOOLEAN,
    DURATION,
    FILE,
    HEADER_VALUE,
    SECRET,
    SHARE,
    TEXT,
    TIMEOUT,
    Secret,
    choice,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = [
    "BREAKER",
    "CONFIG",
    "LIMITS",
    "OPTIONS",
    "Address",
    "Bind",
    "CountsAgainst",
    "Network",
    "Option",
    "Scope",
    "Secret",
    "Settings",
    "UnixSocket",
]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "human", "json"]

_HTTPS_PORT = 443

# The groups of options, as help pages show them.
PROVIDERS = "Providers"
UPSTREAM = "Upstream"
PROCESS = "Shutdown and logs"
TRACES = "Traces"


@dataclass(frozen=True, kw_only=True)
class Settings(  # dataclass fields come in the reverse order of the bases
    BreakerOptions, SharingOptions, LimitOptions, Listeners
):
    """The value of every option. Durations are seconds, `math.inf` for a timeout that is off; sizes are bytes."""

    openai_base_url: str = option(BASE_URL, "https://api.openai.com/v1", PROVIDERS, "Base URL of the OpenAI API.")
    anthropic_base_url: str = option(
        BASE_URL, "https://api.anthropic.com", PROVIDERS, "Base URL of the Anthropic API."
    )
    copilot_base_url: str = option(
        BASE_URL, "https://api.githubcopilot.com", PROVIDERS, "Base URL of the Copilot API."
    )
    openai_api_key: Secret | None = option(
        SECRET,
        None,
        PROVIDERS,
        "Central key for OpenAI, sent in place of callers' own keys.",
        private=("OPENAI_API_KEY",),
    )
    anthropic_api_key: Secret | None = option(
        SECRET,
        None,
        PROVIDERS,
        "Central key for Anthropic, sent in place of callers' own keys.",
        private=("ANTHROPIC_API_KEY",),
    )
    openai_organization: str | None = option(
        HEADER_VALUE, None, PROVIDERS, "OpenAI-Organization header sent with the central key for OpenAI."
    )
    openai_project: str | None = option(
        HEADER_VALUE, None, PROVIDERS, "OpenAI-Project header sent with the central key for OpenAI."
    )
    stored_references: bool = option(
        BOOLEAN,
        "true",
        PROVIDERS,
        "With a central key: accept bodies that name stored data, like previous_response_id; otherwise 403.",
    )
    forward_caller_keys: bool = option(
        BOOLEAN,
        "false",
        PROVIDERS,
        "With a central key: forward the caller's own credential if the request has one.",
    )

    upstream_proxy: Secret | None = option(
        PROXY,
        None,
        UPSTREAM,
        "Proxy for all providers; without it HTTPS_PROXY applies.",
        file="AIBRIDGE_UPSTREAM_PROXY_FILE",
    )
    https_proxy: Secret | None = option(
        PROXY,
        None,
        UPSTREAM,
        "Proxy for https:// providers not listed in NO_PROXY; ignored with --upstream-proxy.",
        private=("https_proxy", "HTTPS_PROXY"),
    )
    no_proxy: str | None = option(
        TEXT, None, UPSTREAM, "Hosts that are reached without HTTPS_PROXY.", private=("no_proxy", "NO_PROXY")
    )
    upstream_ca: Path | None = option(
        FILE, None, UPSTREAM, "CA certificates to trust for providers, besides the usual ones; PEM."
    )
    connect_timeout: float = option(
        TIMEOUT, "10s", UPSTREAM, "Timeout for connecting to a provider, TCP and TLS together; 0s is off."
    )
    first_byte_timeout: float = option(
        TIMEOUT, "10m", UPSTREAM, "Timeout for the provider's response head; 0s is off."
    )
    max_duration: float = option(
        TIMEOUT, "0s", UPSTREAM, "Maximum duration of a request at its provider, response included; 0s is off."
    )
    idle_timeout: float = option(TIMEOUT, "5m", UPSTREAM, "Timeout between two pieces of a response; 0s is off.")

    drain_delay: float = option(
        DURATION,
        "0s",
        PROCESS,
        "After a stop signal: how long new requests are still served while /readyz returns 503.",
    )
    graceful_timeout: float = option(
        TIMEOUT,
        "30s",
        PROCESS,
        "After the drain delay: how long requests in flight may take to finish; 0s is no limit.",
    )
    state_file: Path | None = option(
        FILE,
        None,
        PROCESS,
        "File for what survives a restart: budgets, breakers, learned limits; written every 30 s and at the end.",
    )
    log_level: LogLevel = option(
        choice("debug", "info", "warning", "error"),
        "info",
        PROCESS,
        "Lowest level that is logged; logs go to stderr.",
    )
    log_file: Path | None = option(
        FILE, None, PROCESS, "File for the log in place of stderr; a reload (SIGHUP) opens it again."
    )
    log_format: LogFormat = option(
        choice("auto", "human", "json"),
        "auto",
        PROCESS,
        "Format of log lines; auto is human on a terminal, otherwise json.",
    )

    otel_endpoint: str | None = option(
        BASE_URL,
        None,
        TRACES,
        "Base URL of a collector of OpenTelemetry's traces (OTLP over HTTP); needs the extra otel.",
        also=("OTEL_EXPORTER_OTLP_ENDPOINT",),
    )
    otel_service_name: str = option(
        HEADER_VALUE, "aibridge", TRACES, "Name of this service in traces.", also=("OTEL_SERVICE_NAME",)
    )
    otel_sample: float = option(
        SHARE,
        "100%",
        TRACES,
        "Share of the traces that begin here; callers' own traces say whether they are sampled.",
    )
    otel_headers: Secret | None = option(
        COLLECTOR_HEADERS,
        None,
        TRACES,
        "Headers for the collector, such as its credential: NAME=VALUE,...",
        private=("AIBRIDGE_OTEL_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
        file="AIBRIDGE_OTEL_HEADERS_FILE",
    )

    # Not options: the content of `admin_token_file`, and the tables of the configuration file.
    admin_token: Secret | None = None
    known_callers: KnownCallers = KnownCallers()
    # The built-in providers that have no table of their own follow from the options; `disabled` are switched off.
    provider_tables: tuple[ProviderTable, ...] = ()
    disabled_providers: frozenset[str] = frozenset()
    routes: tuple[RouteTable, ...] = ()

    @property
    def shared_access(self) -> str:
        """What every caller uses without a key of its own; "" if each caller needs one."""
        tables = effective(self)
        if any(table.keys for table in tables):
            return "the central key"
        return next((f"{table.name}, which needs no key" for table in tables if table.keyless), "")

    @property
    def has_central_key(self) -> bool:
        """Whether callers need no key of their own at any provider."""
        return bool(self.shared_access)

    @property
    def callers_required(self) -> bool:
        """Whether only known callers are served."""
        return bool(self.known_callers) and not self.allow_anonymous

    def proxy_for(self, base_url: str) -> Secret | None:
        """Return the proxy to use for this upstream, None to connect directly."""
        if self.upstream_proxy:
            return self.upstream_proxy
        scheme, _, rest = base_url.partition("://")
        if scheme != "https" or not self.https_proxy:
            return None
        return None if bypasses(self.no_proxy or "", rest.partition("/")[0], _HTTPS_PORT) else self.https_proxy

    def protections(self) -> tuple[str, ...]:
        """Return a short description of each protection that is on; one in shadow mode says so."""
        return tuple(described(self))

    def suggestions(self) -> tuple[str, ...]:
        """Return a line for each option that would improve this configuration."""
        return tuple(suggestions(self))

    def warnings(self, given: Collection[str] = ()) -> tuple[str, ...]:
        """Return a line for each setting that is valid but risky, or without effect.

        `given` names the options that were set explicitly, even if to their defaults.
        """
        return (*startup_warnings(self), *table_warnings(self), *contradictions(self, given))


def _options() -> Iterator[Option]:
    for f in fields(Settings):
        if found := f.metadata.get("option"):
            own = () if found.private else (f"AIBRIDGE_{f.name.upper()}",)
            yield replace(found, name=f.name, variables=own + found.variables)


OPTIONS: tuple[Option, ...] = tuple(_options())

CONFIG = Option(
    name="config",
    unit=FILE,
    default=None,
    group="Configuration",
    help="Configuration file (TOML); its keys are the flags' names with _ for -.",
    variables=("AIBRIDGE_CONFIG",),
)
