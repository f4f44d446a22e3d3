"""Requirements that settings meet together before the bridge starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.config import files
from aibridge_trio.config.addresses import Address
from aibridge_trio.config.conflicts import conflicting_listeners
from aibridge_trio.config.origin import DEFAULT, Origin
from aibridge_trio.config.protections import is_on
from aibridge_trio.config.sharing_checks import check_store
from aibridge_trio.config.tracing_checks import check_tracing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aibridge_trio.config.settings import Settings


def check_requirements(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Check certificates, exposed listeners and combinations of options. Opens files; raises UsageError."""
    _check_certificates(settings, origins)
    _check_exposure(settings, origins)
    _check_combinations(settings, origins)
    check_store(settings, origins)
    check_tracing(settings, origins)


def _check_certificates(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Require certificates that load, with their private key."""
    certificate, key, authorities = settings.tls_cert, settings.tls_key, settings.upstream_ca
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        if path:
            origins[name].check_file(files.check_readable, path, remedy="name a readable PEM file")
    if certificate and key:
        remedy = "name a PEM certificate chain and its own private key, without a passphrase"
        origins["tls_cert"].check_file(files.check_chain, certificate, key, remedy=remedy)
    elif certificate:
        raise origins["tls_cert"].usage_error("the certificate has no key", "add --tls-key FILE")
    elif key:
        raise origins["tls_key"].usage_error("the key has no certificate", "add --tls-cert FILE")
    if settings.tls_client_ca:
        remedy = "name a PEM file with certificates"
        origins["tls_client_ca"].check_file(files.check_authorities, settings.tls_client_ca, remedy=remedy)
        if not certificate:
            raise origins["tls_client_ca"].usage_error("the listener has no TLS", "add --tls-cert and --tls-key")
    if authorities:
        remedy = "name a PEM file with certificates"
        origins["upstream_ca"].check_file(files.check_authorities, authorities, remedy=remedy)


def _check_combinations(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Require models for scope `model` and only then, and a limit for a queue."""
    if settings.circuit_breaker_scope == "model" and not settings.circuit_breaker_models:
        raise origins["circuit_breaker_scope"].usage_error(
            "no model is named", "add --circuit-breaker-models NAME,... or choose another scope"
        )
    if settings.circuit_breaker_models and settings.circuit_breaker_scope != "model":
        raise origins["circuit_breaker_models"].usage_error(
            f"the scope is {settings.circuit_breaker_scope}", "add --circuit-breaker-scope model"
        )
    limits = ("concurrency", "concurrency-per-caller", "concurrency-per-provider", "rate")
    if settings.queue_size and not any(is_on(settings, name) for name in limits):
        raise origins["queue_size"].usage_error("there is no limit to wait for", "add --max-concurrency N")


def _check_exposure(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Require a port per listener, and consent or a token where other machines can connect."""
    admin, exposed = settings.admin_bind, settings.exposed()
    if two := conflicting_listeners(settings):  # the second could not start
        name = "admin_bind" if admin in two and origins["admin_bind"] is not DEFAULT else "bind"
        raise origins[name].usage_error(f"{two[0]} and {two[1]} are one port", "give each listener its own")
    if settings.has_central_key and exposed and not (settings.allow_anonymous or settings.known_callers):
        port = next(bind.port for bind in settings.bind if isinstance(bind, Address) and not bind.is_loopback)
        raise origins["bind"].usage_error(
            f"any client that can connect to {exposed} could use {settings.shared_access}",
            f"listen on loopback (--bind 127.0.0.1:{port}), name the callers (--callers-file FILE) or permit it "
            "(--allow-anonymous)",
        )
    if not admin.is_loopback and not settings.admin_token:
        raise origins["admin_bind"].usage_error(
            f"any client that can connect to {admin} could operate the bridge",
            f"add --admin-token-file FILE or listen on loopback (--admin-bind 127.0.0.1:{admin.port})",
        )
