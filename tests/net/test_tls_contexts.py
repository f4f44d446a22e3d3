"""TLS contexts: what both sides accept, and what is wrong with a certificate file."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aibridge_trio.net.tls_contexts import (
    CertificateError,
    add_authorities,
    check_authorities,
    check_chain,
    expires_at,
    provider_context,
    server_context,
    unchecked_context,
)
from tests.net.test_tls_upstream_ca import Signed, pem, signed


def files_of(directory: Path, certificate: Signed, key: Signed | None = None) -> tuple[Path, Path]:
    """Write a certificate, and its own private key or another one's."""
    chain, secret = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(pem(certificate[0]))
    secret.write_bytes(
        (key or certificate)[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


def test_callers_get_tls_1_2_with_forward_secrecy_and_http_1_1(tmp_path: Path) -> None:
    """Ciphers without forward secrecy, older versions and other protocols are not offered."""
    context = server_context(*files_of(tmp_path, signed("localhost", None, authority=False)))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_COMPRESSION
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert names
    assert all(
        (name.startswith(("TLS_", "ECDHE-")) and "GCM" in name) or name.startswith("TLS_") for name in names
    )


@pytest.mark.parametrize("year", [2026, 2049, 2050, 2126])
def test_the_end_of_a_certificate_is_read(tmp_path: Path, year: int) -> None:
    """Of the first one in the file; until 2049 with two digits for the year, as RFC 5280 wants it."""
    end = datetime(year, 3, 31, 23, 59, 58, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bridge")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "chain.pem"
    file.write_bytes(b"a comment\n" + pem(certificate) + pem(signed("another", None, authority=False)[0]))
    assert expires_at(file) == end.timestamp()


@pytest.mark.parametrize(
    "content",
    [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", b"\xff" * 100],
)
def test_an_end_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    """Whether a certificate can be used is decided elsewhere."""
    file = tmp_path / "chain.pem"
    assert expires_at(file) is None
    file.write_bytes(content)
    assert expires_at(file) is None


def test_a_key_of_another_certificate_is_distinguished(tmp_path: Path) -> None:
    """The message says which of the two files is wrong."""
    one, other = signed("one", None, authority=False), signed("two", None, authority=False)
    with pytest.raises(CertificateError, match=r"^does not belong to the private key$"):
        check_chain(*files_of(tmp_path, one, other))
    with pytest.raises(CertificateError, match=r"^does not belong to the private key$"):
        server_context(*files_of(tmp_path, one, other))
    check_chain(*files_of(tmp_path, one))


def test_a_file_without_certificates_is_an_error(tmp_path: Path) -> None:
    """Neither a chain nor authorities can be read from other bytes."""
    file = tmp_path / "no.pem"
    file.write_bytes(b"no certificate")
    with pytest.raises(CertificateError, match=r"^holds no certificate$"):
        check_authorities(file)
    with pytest.raises(CertificateError, match=r"^does not load as PEM with its private key$"):
        check_chain(file, file)
    with pytest.raises(OSError, match="NO_CERTIFICATE"):
        add_authorities(provider_context(), file)


def test_an_authority_is_added_to_the_usual_ones(tmp_path: Path) -> None:
    """A CA of the operator does not replace the public ones, and the provider's name is still verified."""
    file = tmp_path / "ca.pem"
    file.write_bytes(pem(signed("root", None, authority=True)[0]))
    check_authorities(file)
    usual, context = provider_context(), provider_context()
    add_authorities(context, file)
    assert context.cert_store_stats()["x509"] == usual.cert_store_stats()["x509"] + 1
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_process_trusts_itself() -> None:
    """Its certificate may be for any name, and signed by anyone."""
    context = unchecked_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
