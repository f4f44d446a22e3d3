"""The names in a caller's certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio
import trustme

from aibridge_trio.net.peer_names import peer_names
from aibridge_trio.net.stream import CONNECTION_ERRORS, TCPStream
from aibridge_trio.net.tls import TLSServerStream
from aibridge_trio.net.tls_contexts import server_context
from tests.net.test_stream import pair

OURS, FOREIGN = trustme.CA(), trustme.CA()


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """The listeners' context, with our authority for callers."""
    own = OURS.issue_cert("localhost")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    OURS.cert_pem.write_to_path(tmp_path / "ca.pem")
    return server_context(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem")


async def names(
    context: ssl.SSLContext,
    certificate: trustme.LeafCert | None = None,
    most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> tuple[str, ...] | None:
    """Return what the server reads in a caller's certificate; None if there is no connection."""
    near, far = pair()
    server = TLSServerStream(TCPStream(far), context)
    trust = ssl.create_default_context()
    OURS.configure_trust(trust)
    trust.maximum_version = most
    if certificate:
        certificate.configure_cert(trust)
    client = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(near)), trust, server_hostname="localhost"
    )
    found = None

    async def serve() -> None:
        nonlocal found
        try:
            await server.handshake()
            found = server.certificate
        except CONNECTION_ERRORS:
            server.close()

    async def call() -> None:
        try:
            await client.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(client)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            nursery.start_soon(call)
    server.close()
    await trio.aclose_forcefully(client)
    return found


VERSIONS = pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
async def test_common_names_come_before_alternative_ones(context: ssl.SSLContext, most: ssl.TLSVersion) -> None:
    """Of all kinds: DNS, email, address."""
    certificate = OURS.issue_cert("laptop.example", "me@example.org", "192.0.2.7", common_name="dev-07")
    found = await names(context, certificate, most)
    assert found
    assert found[0] == "dev-07"
    assert set(found) == {"dev-07", "laptop.example", "me@example.org", "192.0.2.7"}


@VERSIONS
async def test_a_caller_may_do_without_a_certificate(context: ssl.SSLContext, most: ssl.TLSVersion) -> None:
    """It then needs a token."""
    assert await names(context, None, most) == ()


@VERSIONS
async def test_a_foreign_certificate_ends_the_handshake(context: ssl.SSLContext, most: ssl.TLSVersion) -> None:
    """Whatever names an authority signs that is not trusted, no connection comes about."""
    assert await names(context, FOREIGN.issue_cert("laptop.example", common_name="dev-07"), most) is None


async def test_without_an_authority_no_certificate_is_asked_for(tmp_path: Path, context: ssl.SSLContext) -> None:
    """As before."""
    plain = server_context(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert await names(plain, OURS.issue_cert("laptop.example")) == ()


def test_no_session_is_resumed_where_certificates_count(context: ssl.SSLContext) -> None:
    """A ticket would spare an expired certificate the check."""
    assert context.options & ssl.OP_NO_TICKET
    assert context.num_tickets == 0


def test_no_certificate_has_no_names() -> None:
    """Nor has one that was not verified, of which the ssl module tells nothing."""

    class Connection:
        fields: object = None

        def getpeercert(self) -> object:
            return self.fields

    connection = Connection()
    for connection.fields in (None, {}):
        assert peer_names(connection) == ()  # type: ignore[arg-type]
    many = tuple(("DNS", f"{n}.example") for n in range(100))
    connection.fields = {"subject": ((("commonName", "x" * 300),),), "subjectAltName": many}
    assert peer_names(connection) == tuple(f"{n}.example" for n in range(64))  # type: ignore[arg-type]
