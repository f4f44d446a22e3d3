"""Option names of other programs, and the option of this program that each corresponds to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Both are spelt like keys of the configuration file.
FOREIGN_NAMES = {
    "port": "bind",
    "host": "bind",
    "listen": "bind",
    "listen_address": "bind",
    "address": "bind",
    "addr": "bind",
    "http_port": "bind",
    "socket": "bind",
    "p": "bind",
    "admin_port": "admin_bind",
    "admin_host": "admin_bind",
    "admin_address": "admin_bind",
    "admin_listen": "admin_bind",
    "admin": "admin_bind",
    "metrics_port": "admin_bind",
    "metrics_bind": "admin_bind",
    "health_port": "admin_bind",
    "status_port": "admin_bind",
    "config_file": "config",
    "configuration": "config",
    "conf": "config",
    "c": "config",
    "f": "config",
    "file": "config",
    "verbose": "log_level",
    "quiet": "log_level",
    "debug": "log_level",
    "loglevel": "log_level",
    "level": "log_level",
    "format": "log_format",
    "log_json": "log_format",
    "json_logs": "log_format",
    "cert": "tls_cert",
    "certificate": "tls_cert",
    "certfile": "tls_cert",
    "ssl_cert": "tls_cert",
    "ssl_certfile": "tls_cert",
    "key": "tls_key",
    "keyfile": "tls_key",
    "ssl_key": "tls_key",
    "ssl_keyfile": "tls_key",
    "proxy": "upstream_proxy",
    "http_proxy": "upstream_proxy",
    "ca": "upstream_ca",
    "cacert": "upstream_ca",
    "ca_file": "upstream_ca",
    "concurrency": "max_concurrency",
    "max_in_flight": "max_concurrency",
    "max_requests": "max_concurrency",
    "limit": "max_concurrency",
    "rate": "rate_limit",
    "rps": "rate_limit",
    "qps": "rate_limit",
    "queue": "queue_size",
    "breaker": "circuit_breaker",
    "max_body_size": "max_body",
    "body_limit": "max_body",
    "connections": "max_connections",
    "timeout": "first_byte_timeout",
    "read_timeout": "idle_timeout",
    "shutdown_timeout": "graceful_timeout",
    "stop_timeout": "graceful_timeout",
    "drain_timeout": "graceful_timeout",
    "drain": "drain_delay",
    "openai_url": "openai_base_url",
    "anthropic_url": "anthropic_base_url",
    "copilot_url": "copilot_base_url",
    "base_url": "openai_base_url",
    "upstream": "openai_base_url",
    "admin_url": "url",
    "bridge": "url",
    "refresh": "interval",
    "every": "interval",
    "time": "seconds",
    "trusted_proxy": "trusted_proxies",
    "forwarded_allow_ips": "trusted_proxies",
    "admin_token": "admin_token_file",
    "delay": "latency",
}


# Keys of tables, as other programs call them. Of several names the first that the table has is meant.
_FOREIGN_KEYS = {
    "api_key": ("key_file", "file"),
    "apikey": ("key_file", "file"),
    "secret": ("key_file", "file"),
    "token_file": ("key_file",),
    "api_key_file": ("key_file", "file"),
    "api_key_env": ("key_env", "env"),
    "env_key": ("key_env", "env"),
    "url": ("base_url",),
    "api_base": ("base_url",),
    "endpoint": ("base_url",),
    "host": ("base_url",),
    "type": ("dialect",),
    "provider": ("dialect", "providers"),
    "api": ("dialect",),
    "format": ("dialect",),
    "auth_header": ("key_header",),
    "strategy": ("key_choice",),
    "disabled": ("enabled",),
    "rpm": ("rate_limit",),
    "rps": ("rate_limit",),
    "requests_per_minute": ("rate_limit",),
    "tpm": ("token_rate_limit",),
    "tokens_per_minute": ("token_rate_limit",),
    "max_parallel_requests": ("max_concurrency",),
    "concurrency": ("max_concurrency",),
    "max_budget": ("budget",),
    "quota": ("budget",),
    "allowed_models": ("models",),
    "model_name": ("model",),
    "group": ("class",),
    "team": ("class",),
    "user": ("name",),
    "id": ("name",),
    "token": ("token_sha256",),
    "token_hash": ("token_sha256",),
    "sha256": ("token_sha256",),
    "cert": ("certificate",),
    "subject": ("certificate",),
    "expiry": ("expires",),
    "valid_until": ("expires",),
}

# Commands that connect to a running bridge have --url in place of the listeners' addresses.
_OF_CLIENTS = {"bind": "url", "admin_bind": "url"}


def guess(name: str, known: Iterable[str]) -> str | None:
    """Return the name in `known` that another program's flag, variable or key corresponds to, or None.

    A variable is looked up without its `AIBRIDGE_` prefix.
    """
    meant = FOREIGN_NAMES.get(name.lstrip("-").replace("-", "_").lower(), "")
    spelt = {each.lower(): each for each in known}
    return spelt.get(meant) or spelt.get(_OF_CLIENTS.get(meant, ""))


def guess_key(name: str, known: Collection[str]) -> str | None:
    """Return the key in `known`, of one table, that another program's key corresponds to, or None."""
    meant = _FOREIGN_KEYS.get(name.replace("-", "_").lower(), ())
    return next((key for key in meant if key in known), None)
