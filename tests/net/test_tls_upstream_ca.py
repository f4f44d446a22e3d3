"""A CA of the operator's own is trusted by every Python alike."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aibridge_trio.errors import UsageError
from aibridge_trio.net.dial import new_dialer
from aibridge_trio.net.fault_causes import cause
from aibridge_trio.upstream.pool import Origin, Pool
from aibridge_trio.upstream.transport import Transport, Transports

Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def signed(name: str, by: Signed | None, *, authority: bool) -> Signed:
    """Return a certificate with neither Subject nor Authority Key Identifier, as many companies' CAs make them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    return builder.sign(by[1] if by else key, hashes.SHA256()), key


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


@contextmanager
def a_server(directory: Path, leaf: Signed, *above: x509.Certificate) -> Iterator[int]:
    """Serve TLS handshakes; yield the port."""
    secret = leaf[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "leaf.pem"
    file.write_bytes(secret + pem(leaf[0], *above))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(sock, server_side=True) as stream:
                        stream.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every Python's default that of 3.13."""
    create = httpx.create_ssl_context

    def created() -> ssl.SSLContext:
        context = create()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(httpx, "create_ssl_context", created)


async def connect(port: int, transport: object) -> None:
    """Open a connection to the server, by the context of a way out."""
    assert isinstance(transport, Transport)
    pool = Pool(Origin("localhost", port, transport._context), new_dialer())
    try:
        with trio.fail_after(10):
            await pool.open()
    finally:
        pool.close()


@pytest.mark.parametrize("trusted", ["root", "intermediate"])
async def test_a_ca_without_key_identifiers_is_trusted(tmp_path: Path, trusted: str) -> None:
    """By 3.13's strictness it would not be; before 3.13 an intermediate alone would not be."""
    root = signed("root", None, authority=True)
    middle = signed("middle", root, authority=True)
    leaf = signed("localhost", middle, authority=False)
    file = tmp_path / "ca.pem"
    file.write_bytes(pem(root[0] if trusted == "root" else middle[0]))
    with a_server(tmp_path, leaf, middle[0]) as port:
        await connect(port, Transports(file)(None))


async def test_without_the_option_pythons_own_strictness_stays(tmp_path: Path) -> None:
    """A CA that is not configured is not trusted, with the option or without."""
    assert Transports(None)._context.verify_flags & ssl.VERIFY_X509_STRICT
    root, other = signed("root", None, authority=True), signed("other", None, authority=True)
    file = tmp_path / "ca.pem"
    file.write_bytes(pem(other[0]))
    with a_server(tmp_path, signed("localhost", root, authority=False)) as port:
        for ca in (None, file):
            with pytest.raises((OSError, trio.BrokenResourceError)) as caught:
                await connect(port, Transports(ca)(None))
            assert cause(caught.value).startswith("certificate verify failed: ")


async def test_the_name_is_verified_all_the_same(tmp_path: Path) -> None:
    """To clear a flag is not to stop looking."""
    root = signed("root", None, authority=True)
    context = Transports(None)._context
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    (tmp_path / "ca.pem").write_bytes(pem(root[0]))
    context = Transports(tmp_path / "ca.pem")._context
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_broken_environment_is_not_blamed_on_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an SSL_CERT_FILE that is missing, the error is the system's and does not name --upstream-ca."""
    file = tmp_path / "ca.pem"
    file.write_bytes(pem(signed("root", None, authority=True)[0]))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    for ca in (None, file):
        with pytest.raises(FileNotFoundError):
            Transports(ca)(None)


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\x30\x82\x01\x00", None])
def test_a_file_without_certificates_is_a_mistake(tmp_path: Path, content: bytes | None) -> None:
    """In one line that names the option and the file."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"^--upstream-ca: .*ca\.pem holds no certificates in PEM: ") as caught:
        Transports(file)(None)
    assert "\n" not in str(caught.value)
