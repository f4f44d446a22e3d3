"""The ways in and out: TLS for callers, TLS and proxies on the way to a provider."""

from __future__ import annotations

import json
import re
import resource
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import trustme

from tests.http.test_request_parser import SMUGGLED
from tests.support.forward_proxy import a_proxy
from tests.support.processes import ASK, CHAT, PATIENCE, TEXT, Bridge, Provider, a_bridge, a_provider, run, until

pytestmark = pytest.mark.real

UNARY: Any = {"model": "m", "messages": ASK}
STREAMED: Any = {**UNARY, "stream": True}
ASKED = json.dumps(STREAMED).encode()
# Bytes that a hasty reader would resolve, quote or join.
TARGET = "/models/a%20b%C3%A9:c?x=%7e&&y=a+b;c=%2e%2E/&z="


class Identity(NamedTuple):
    """An unknown CA, and a server's certificate of it."""

    trust: ssl.SSLContext
    ca: str
    flags: tuple[str, ...]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    home: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(home / "key.pem"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(home / "cert.pem"), append=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    flags = ("--tls-cert", str(home / "cert.pem"), "--tls-key", str(home / "key.pem"))
    return Identity(trust, str(home / "ca.pem"), flags)


@pytest.fixture(scope="module")
def secure(provider: Provider, identity: Identity) -> Iterator[Bridge]:
    """A bridge with TLS for its callers; to others, a provider with TLS."""
    with a_bridge(*identity.flags, provider=provider, verify=identity.trust) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def plain(provider: Provider) -> Iterator[Bridge]:
    """A bridge without TLS."""
    with a_bridge(provider=provider) as bridge:
        yield bridge


# TLS for callers


def test_callers_are_served_over_tls(secure: Bridge) -> None:
    """With a certificate the start line says https, and callers who trust it are served, streams included."""
    assert secure.url.startswith("https://")
    assert secure.caller.post(CHAT, json=UNARY).json()["choices"][0]["message"]["content"] == TEXT
    with secure.caller.stream("POST", CHAT, json=STREAMED) as answer:
        assert "".join(answer.iter_text()).endswith("data: [DONE]\n\n")
    assert answer.http_version == "HTTP/1.1"


def test_who_does_not_trust_the_certificate_is_not_served(secure: Bridge) -> None:
    """A caller that does not know the CA gives up, and harms no other."""
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as caller:
        caller.get(secure.url)
    assert secure.caller.get("/").status_code == 200


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(range(256)) * 64,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ],
    ids=["plain", "h2c", "garbage", "half a hello", "nothing"],
)
def test_noise_on_the_tls_port_harms_no_caller(secure: Bridge, identity: Identity, noise: bytes) -> None:
    """Whatever is said instead of a handshake ends that connection, and the next caller is served."""
    with secure.stranger() as stranger:
        stranger.sendall(noise)
        with httpx.Client(base_url=secure.url, verify=identity.trust, trust_env=False) as caller:
            assert caller.get("/").status_code == 200
        stranger.shutdown(socket.SHUT_WR)
        _drain(stranger)
    assert secure.caller.get("/").status_code == 200


def _drain(sock: socket.socket) -> bytes:
    """Read until the other side ends it, one way or the other."""
    heard = b""
    with suppress(ConnectionError):
        while piece := sock.recv(65536):
            heard += piece
    return heard


# Other protocols


@pytest.mark.parametrize(
    "headers",
    [
        b"upgrade: websocket\r\nconnection: upgrade\r\n",
        b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: %s\r\n"
        % b64encode(bytes(16)),
    ],
    ids=["half a WebSocket", "a WebSocket"],
)
def test_websockets_are_refused(plain: Bridge, headers: bytes) -> None:
    """Whatever a connection is to become, it stays HTTP/1.1: 426, and the next request on it is served."""
    with plain.stranger() as stranger:
        stranger.sendall(b"GET /openai/v1/responses HTTP/1.1\r\nhost: localhost\r\n%s\r\n" % headers)
        answer = stranger.recv(65536)
        assert answer.startswith(b"HTTP/1.1 426 ")
        assert b"x-aibridge-reject: upgrade_refused\r\n" in answer
        stranger.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        _, _, answer = _drain(stranger).rpartition(b"HTTP/1.1 ")
        assert answer.startswith(b"200 ")


def test_http_2_is_not_spoken(plain: Bridge) -> None:
    """A caller that begins with HTTP/2 is answered in HTTP/1.1, and its connection closed."""
    with plain.stranger() as stranger:
        stranger.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert _drain(stranger).startswith(b"HTTP/1.1 4")


# TLS on the way out


def _way_through(secure: Bridge) -> tuple[str, str]:
    return ("--openai-base-url", f"{secure.url}/openai/v1")


def test_an_own_ca_is_trusted_upstream(secure: Bridge, identity: Identity, provider: Provider) -> None:
    """With --upstream-ca a provider of that CA is reached over TLS, and the target arrives byte for byte."""
    with a_bridge(*_way_through(secure), "--upstream-ca", identity.ca) as bridge:
        assert bridge.caller.get(f"/openai/v1{TARGET}").status_code == 200
        assert provider.last()["target"] == f"/v1{TARGET}"
        with bridge.gpt() as gpt, gpt.chat.completions.stream(model="m", messages=ASK) as stream:
            assert stream.get_final_completion().choices[0].message.content == TEXT


def test_an_unknown_ca_is_not_trusted_upstream(secure: Bridge, provider: Provider) -> None:
    """Without it the connection fails in its first phase: 502, a failure, and nothing was sent."""
    with a_bridge(*_way_through(secure)) as bridge:
        answer = bridge.caller.post(CHAT, json=UNARY)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")
        assert answer.json()["message"] == "openai could not be reached (phase: connect)"
        assert bridge.metric("aibridge_upstream_errors_total", provider="openai", phase="connect") == 1
        assert bridge.requests(1)[-1]["verdict"] == "failure"
    assert provider.stats()["requests"] == 0


def test_a_provider_that_restarts_is_found_again() -> None:
    """A kept connection that the provider has closed is not used: no request pays for its restart."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = f"127.0.0.1:{found.getsockname()[1]}"
    with a_bridge("--openai-base-url", f"http://{address}/v1") as bridge:
        for _ in range(2):
            with a_provider(bind=address):
                assert [bridge.caller.post(CHAT, json=UNARY).status_code for _ in range(2)] == [200, 200]
        assert bridge.caller.post(CHAT, json=UNARY).status_code == 502


# Proxies on the way out


def test_plain_upstreams_are_reached_through_a_proxy(provider: Provider) -> None:
    """An http upstream is asked for by its whole URL; the target's bytes and the body arrive unchanged."""
    with a_proxy() as proxy, a_bridge("--upstream-proxy", proxy.url(), provider=provider) as bridge:
        assert bridge.caller.get(f"/openai/v1{TARGET}").status_code == 200
        assert proxy.heads[0].startswith(f"GET {provider.url}/v1{TARGET} HTTP/1.1\r\n".encode())
        assert provider.last()["target"] == f"/v1{TARGET}"
        assert bridge.caller.post(CHAT, json=UNARY).json()["choices"][0]["message"]["content"] == TEXT


@pytest.mark.parametrize("told", ["--upstream-proxy", "HTTPS_PROXY"])
def test_secure_upstreams_are_reached_through_a_tunnel(
    secure: Bridge, identity: Identity, provider: Provider, told: str
) -> None:
    """An https upstream gets a tunnel; the target's bytes arrive unchanged, the proxy's password does not."""
    with a_proxy() as proxy:
        url = proxy.url("user:pass%40word@")
        flags: tuple[str, ...] = (*_way_through(secure), "--upstream-ca", identity.ca)
        flags += (told, url) if told.startswith("--") else ()
        with a_bridge(*flags, HTTPS_PROXY="" if told in flags else url) as bridge:
            assert bridge.caller.get(f"/openai/v1{TARGET}").status_code == 200
            assert bridge.caller.post(CHAT, json=UNARY).json()["choices"][0]["message"]["content"] == TEXT
    authority = httpx.URL(secure.url).netloc
    assert proxy.heads[0].startswith(b"CONNECT %s HTTP/1.1\r\n" % authority)
    assert b"Basic " + b64encode(b"user:pass@word") in proxy.heads[0]
    assert [seen["target"] for seen in provider.stats()["last"]] == [f"/v1{TARGET}", "/v1/chat/completions"]
    assert provider.credentials() == {}


def test_no_proxy_names_the_exceptions(secure: Bridge, identity: Identity, provider: Provider) -> None:
    """HTTPS_PROXY is neither for plain upstreams nor for hosts that NO_PROXY names."""
    nobody = "http://127.0.0.1:1"
    with a_bridge(provider=provider, HTTPS_PROXY=nobody) as plain:
        assert plain.caller.post(CHAT, json=UNARY).status_code == 200
    flags = (*_way_through(secure), "--upstream-ca", identity.ca)
    with a_bridge(*flags, HTTPS_PROXY=nobody, NO_PROXY="127.0.0.1") as bridge:
        assert bridge.caller.post(CHAT, json=UNARY).status_code == 200


def test_a_proxy_that_is_gone_is_an_unreachable_provider(provider: Provider) -> None:
    """When the proxy can't be reached, neither can the provider: 502."""
    with a_bridge("--upstream-proxy", "http://u:p@127.0.0.1:1", provider=provider) as bridge:
        answer = bridge.caller.post(CHAT, json=UNARY)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")


# Connections


def test_a_connection_that_its_caller_closed_is_closed_here(provider: Provider) -> None:
    """Descriptors come back at once, however a connection ended: idle, mid-way, after an answer, after garbage."""
    with a_bridge(*provider.flags) as bridge:
        descriptors = Path(f"/proc/{bridge.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        for said in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", b"garbage\r\n\r\n"):
            for _ in range(10):
                with bridge.stranger() as caller:
                    caller.sendall(said)
        until(lambda: len(list(descriptors.iterdir())) <= before + 1, "every descriptor back")


# Too many connections


def test_operators_are_as_many_as_there_may_be(provider: Provider) -> None:
    """Idle ones are closed for others; where all are busy one more gets 503; callers are served meanwhile."""
    with a_bridge(provider=provider) as bridge, ExitStack() as stack:
        port = int(bridge.admin_url.rpartition(":")[2])

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))

        def stream(sock: socket.socket) -> None:
            sock.sendall(b"GET /status/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"

        def connections() -> Any:
            return bridge.status()["connections"]["admin"]

        idle = [connect() for _ in range(200)]
        # Closing idle ones takes a moment. Left are the last 63, and the one that this asks on.
        until(lambda: connections()["open"] == 64, "the longest idle connections have closed")
        assert connections() == {
            "open": 64,
            "max": 64,
            "refused": {"limit": 0, "address": 0, "descriptors": 0},
            "busiest": {"address": "127.0.0.1", "open": 64},
        }
        for sock in idle[-63:]:
            stream(sock)
        # It takes the place of the one that asked. Without a request it would be idle, and be closed itself.
        stream(connect())
        assert connect().recv(999).startswith(b"HTTP/1.1 503 ")
        assert bridge.caller.post(CHAT, json={"model": "m", "messages": []}).status_code == 200
        idle[-1].close()
        found = until(partial(answer_to, connections), "an operator is served again")
        assert found["refused"]["limit"] >= 1


def answer_to(ask: Callable[[], Any]) -> Any:
    """Return what an operator gets, or None while it is turned away."""
    with suppress(httpx.HTTPError):
        return ask()
    return None


def test_without_descriptors_callers_are_told_and_operators_served(provider: Provider) -> None:
    """What is lacking is called by its name; callers get 503, the admin listener answers; then all are served."""
    with a_bridge(provider=provider) as bridge, ExitStack() as stack:
        bridge.status()
        resource.prlimit(bridge.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        crowd = [stack.enter_context(bridge.stranger()) for _ in range(100)]
        told = crowd[-1].recv(999)
        assert told.startswith(b"HTTP/1.1 503 ")
        with httpx.Client(base_url=bridge.admin_url, headers={"host": "localhost"}, trust_env=False) as another:
            found = another.get("/status", timeout=PATIENCE).json()["connections"]["callers"]
        assert found["refused"]["descriptors"] > 30
        assert found["open"] + found["refused"]["descriptors"] == 100
        bridge.process.says(r"out of file descriptors \(limit 64")
        bridge.process.says(r"connections of callers turned away: out of file descriptors.*127\.0\.0\.1 \(")
        for sock in crowd:
            sock.close()
        until(lambda: bridge.status()["connections"]["callers"]["open"] == 0, "the crowd has gone")
        assert bridge.caller.post(CHAT, json={"model": "m", "messages": []}).status_code == 200


def test_a_host_without_an_address_is_a_mistake() -> None:
    """A name that cannot be resolved is one line that says how to mend it."""
    done = run("serve", "--bind", "no-such-host.invalid:1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be resolved" in done.stderr


# HTTP/1.1 as strangers speak it

HEAD = b"POST %s HTTP/1.1\r\nhost: localhost\r\n" % CHAT.encode()


def test_no_smuggled_request_gets_through(plain: Bridge, provider: Provider) -> None:
    """What two readers could read in two ways ends its connection, and what stands behind it is no request.

    It is answered with 400, or by what was wrong with its beginning.
    """
    provider.clear()
    for name, data in SMUGGLED.items():
        with plain.stranger() as stranger:
            own = data.replace(b"host: b\r\n", b"host: localhost\r\n")
            stranger.sendall(own + HEAD + b"content-length: 0\r\n\r\n")
            heard = _drain(stranger)
        statuses = re.findall(rb"HTTP/1.1 (\d+)", heard)
        assert statuses in ([b"400"], [b"404"], [b"404", b"400"]), name
    assert plain.caller.get("/").status_code == 200
    assert provider.stats()["requests"] == 0


def test_a_thousand_idle_connections_cost_other_callers_nothing(plain: Bridge) -> None:
    """They are kept, a request beside them is answered, and they can still be used."""
    before = len(list(Path(f"/proc/{plain.process.pid}/fd").iterdir()))
    with ExitStack() as stack:
        idle = [stack.enter_context(plain.stranger()) for _ in range(1000)]
        for stranger in idle[::2]:
            stranger.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        for stranger in idle[::2]:
            assert stranger.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert plain.caller.get("/").status_code == 200
        idle[1].sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert _drain(idle[1]).startswith(b"HTTP/1.1 200 ")
    descriptors = Path(f"/proc/{plain.process.pid}/fd")
    until(lambda: len(list(descriptors.iterdir())) <= before + 1, "every descriptor back")


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("in an upload", "closes"),
        ("in an upload", "resets"),
        ("behind a pipeline", "closes"),
        ("behind a pipeline", "resets"),
        ("behind an upload that nobody takes", "resets"),  # a close would stand behind it in the caller's kernel
    ],
)
def test_who_leaves_gives_its_slot_back_within_a_second(provider: Provider, where: str, how: str) -> None:
    """Wherever it stood, and whatever it left unread."""
    provider.script({"delay": 60})
    with (
        a_provider_that_reads_nothing() as deaf,
        a_bridge("--max-concurrency", "1", *(deaf if where.endswith("takes") else provider.flags)) as bridge,
        bridge.stranger() as stranger,
    ):
        match where:
            case "in an upload":
                stranger.sendall(HEAD + b"content-length: 1000000\r\n\r\n" + b"x" * 100_000)
            case "behind an upload that nobody takes":
                stranger.sendall(HEAD + b"content-length: 30000000\r\n\r\n")
                stranger.settimeout(0.5)
                with suppress(TimeoutError):
                    stranger.sendall(b"x" * 30_000_000)
            case "behind a pipeline":
                stranger.sendall((HEAD + b"content-length: 2\r\n\r\n{}") * 1000)
        until(lambda: bridge.in_flight() == 1, "the request")
        assert bridge.caller.get("/").status_code == 503
        if how == "resets":
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stranger.close()
        until(lambda: bridge.caller.get("/").status_code == 200, "a free slot", within=1.5)


@contextmanager
def a_provider_that_reads_nothing() -> Iterator[tuple[str, str]]:
    """Accept connections, and never read from them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "--openai-base-url", f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_the_answer_to_an_upload_that_goes_on_arrives(provider: Provider) -> None:
    """A refusal in the middle of 20 MB arrives, whether the caller reads at once or sends all before."""
    with a_bridge("--max-body", "1MiB", provider=provider) as bridge:
        for patient in (False, True):
            with bridge.stranger() as stranger:
                stranger.sendall(HEAD + b"content-length: 20000000\r\n\r\n" + b"x" * 100_000)
                heard = b"" if patient else stranger.recv(65536)
                stranger.sendall(b"x" * 19_900_000)
                heard += _drain(stranger)
                assert heard.startswith(b"HTTP/1.1 413 ")


def test_an_expected_100_comes_when_a_provider_takes_the_body(plain: Bridge, narrow: Bridge) -> None:
    """A request that is refused gets its refusal, and no invitation to send its body."""
    body = json.dumps(UNARY).encode()
    head = HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body)
    with plain.stranger() as stranger:
        stranger.sendall(head)
        assert stranger.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stranger.sendall(body)
        assert stranger.recv(65536).startswith(b"HTTP/1.1 200 ")
    with narrow.stranger() as stranger:
        stranger.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 1000000\r\n\r\n")
        assert _drain(stranger).startswith(b"HTTP/1.1 413 ")


def test_a_tls_caller_that_just_leaves_is_no_bug(secure: Bridge, identity: Identity) -> None:
    """Few say goodbye in TLS; the bridge says nothing of it, in the middle of a stream or idle."""
    for said in (b"", HEAD, HEAD + b"content-length: %d\r\n\r\n%s" % (len(ASKED), ASKED)):
        with identity.trust.wrap_socket(secure.stranger(), server_hostname="127.0.0.1") as caller:
            caller.sendall(said)
            if said.endswith(ASKED):
                assert caller.recv(100).startswith(b"HTTP/1.1 200")
            socket.socket.close(caller)
    assert secure.caller.get("/").status_code == 200
    until(lambda: secure.in_flight() == 0, "nothing in flight")
