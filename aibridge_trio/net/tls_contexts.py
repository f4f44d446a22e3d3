"""TLS contexts of both sides: certificates, authorities, versions, ciphers.

Made here and nowhere else: the listeners' context (`server_context`), and the context of connections to providers
(`provider_context`), the place for a client certificate of the bridge.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

# As hypercorn has them: TLS 1.2 at least, forward secrecy, no compression.
_CIPHERS = "ECDHE+AESGCM"
_PROTOCOLS = ["http/1.1"]
_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# DER: the tags of a certificate's version and of a time whose year has two digits, the bit of a long size; which
# field the validity is.
_VERSION, _UTC_TIME, _LONG, _VALIDITY = 0xA0, 0x17, 0x80, 3


class CertificateError(OSError):
    """A certificate file cannot be used; `str()` continues a sentence that begins with the file's name."""


def server_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """Return the context for callers' connections, with a certificate chain and its private key (PEM).

    With `client_ca` a caller may send a certificate, which must then be signed by one of its authorities. Raises
    CertificateError.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_ciphers(_CIPHERS)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options = ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_PROTOCOLS)
    check_chain(certificate, key, context)
    if client_ca:
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            add_authorities(context, client_ca)
        except OSError:
            raise CertificateError("does not load as PEM") from None
        # A resumed session would spare its certificate the check, for as long as the ticket lasts.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def unchecked_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: for connections of a process to itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def provider_context() -> ssl.SSLContext:
    """Return the context for connections to providers.

    Its authorities are httpx's: `SSL_CERT_FILE`, `SSL_CERT_DIR`, else certifi's. Raises OSError.
    """
    from httpx import create_ssl_context  # noqa: PLC0415 - the other functions serve commands that start fast

    return create_ssl_context()


def add_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    """Let a context trust the authorities of a file (PEM) too. Raises OSError."""
    context.load_verify_locations(ca_file)
    # Python 3.13 and later reject certificates that deviate from RFC 5280, and many private CAs have no
    # Authority Key Identifier. They also accept an intermediate certificate as the trusted one, as here.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def check_chain(certificate: Path, key: Path, context: ssl.SSLContext | None = None) -> None:
    """Check that a certificate chain and a private key load together, into `context`. Raises CertificateError."""
    asked = False

    def passphrase() -> str:
        nonlocal asked
        asked = True  # without this function OpenSSL would ask at the terminal
        return ""

    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, passphrase)
    except (OSError, ValueError) as error:
        if asked:
            raise CertificateError("has a private key with a passphrase") from None
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise CertificateError("does not belong to the private key") from None
        raise CertificateError("does not load as PEM with its private key") from None


def expires_at(certificate: Path) -> float | None:
    """Return when the first certificate of a file (PEM) ends, as Unix time; None if that cannot be read.

    RFC 5280, 4.1: a certificate's body has its version (optional), serial number, signature, issuer and validity.
    """
    try:
        pem = _PEM.search(certificate.read_text("latin-1"))
        if pem is None:
            return None
        body = _inner(_inner(ssl.PEM_cert_to_DER_cert(pem[0])))
        fields = [field for field in _elements(body) if field[0] != _VERSION]
        kind, text = [*_elements(fields[_VALIDITY][1])][1]
        form = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _inner(data: bytes) -> bytes:
    return next(_elements(data))[1]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element of DER. Raises IndexError at a cut one."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & _LONG:
            more = size & ~_LONG
            size, at = int.from_bytes(data[at : at + more], "big"), at + more
        yield tag, data[at : at + size]
        at += size


def check_authorities(ca_file: Path) -> None:
    """Check that a file holds certificates (PEM). Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(OSError, ValueError):
        context.load_verify_locations(ca_file)
    if not context.cert_store_stats()["x509"]:
        raise CertificateError("holds no certificate")
