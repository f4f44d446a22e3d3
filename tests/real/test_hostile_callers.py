"""Callers that mean harm, or just behave so: the program stays, others are served, and nothing of it is left.

How long such a caller is waited for (30 s for a head, 75 s for a body, 60 s for a write) is shown in virtual time,
in test_connection.py.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.real.test_network import Identity, identity, secure
from tests.support.liars import a_liar, for_ever
from tests.support.processes import ASK, CHAT, PATIENCE, Bridge, Provider, a_bridge, until
from tests.support.unharmed import MIB, heard, reset, resident, served, unharmed

__all__ = ["identity", "secure"]

pytestmark = pytest.mark.real

MANY = 10
HEAD = b"POST %s HTTP/1.1\r\nhost: localhost\r\n" % CHAT.encode()
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
STREAM = json.dumps({"model": "m", "messages": ASK, "stream": True}).encode()
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

# Where a caller stands when it stops.
STATES = {
    "nothing said": b"",
    "in an empty line": b"\r\n\r\n\r",
    "in the first line": b"POST /openai/v1/ch",
    "in a head": HEAD + b"x-padding: " + b"x" * 1000,
    "behind a head": HEAD + b"content-length: 1000\r\n\r\n",
    "waiting for a 100": HEAD + b"expect: 100-continue\r\ncontent-length: 1000\r\n\r\n",
    "in a body": HEAD + b"content-length: 100000\r\n\r\n" + b"x" * 50_000,
    "in a chunk's size": CHUNKED + b"10",
    "in a chunk's extension": CHUNKED + b"10;a=" + b"x" * 1000,
    "in a chunk": CHUNKED + b"ffff\r\n" + b"x" * 1000,
    "in a trailer": CHUNKED + b"1\r\n{\r\n0\r\nx: " + b"x" * 100,
    "with an answer unread": GET,
    "with a stream unread": HEAD + b"content-length: %d\r\n\r\n%s" % (len(STREAM), STREAM),
    "in a pipeline": GET * 5000 + b"GET / HT",
    "in a pipeline of streams": (HEAD + b"content-length: %d\r\n\r\n%s" % (len(STREAM), STREAM)) * 300,
    "in the middle of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


def half_close(sock: socket.socket) -> None:
    """Say that nothing more will come, and wait for the end: it is for the bridge to close."""
    sock.shutdown(socket.SHUT_WR)
    heard(sock)
    sock.close()


ENDS: dict[str, Callable[[socket.socket], None]] = {
    "close": socket.socket.close,
    "reset": reset,
    "half-close": half_close,
}


def said(bridge: Bridge, data: bytes) -> socket.socket:
    """Open a connection and say this, as far as it is taken."""
    stranger = bridge.stranger()
    stranger.settimeout(0.2)
    with suppress(TimeoutError, ConnectionError):
        stranger.sendall(data)
    stranger.settimeout(PATIENCE)
    return stranger


@pytest.mark.parametrize("state", STATES)
def test_wherever_a_caller_stops_and_however_it_ends(bridge: Bridge, state: str) -> None:
    """Ten at once that go no further: others are served; when they close, reset or half-close, all is back."""
    for end in ENDS.values():
        with unharmed(bridge):
            many = MANY // 5 if "pipeline" in state else MANY  # each of which takes a while to fill
            strangers = [said(bridge, STATES[state]) for _ in range(many)]
            assert served(bridge)
            for stranger in strangers:
                end(stranger)


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"\r\n", b"", b"GET /" + b"x" * 60_000]
)
def test_a_head_that_does_not_end_holds_no_slot(provider: Provider, said: bytes) -> None:
    """A caller whose request head is incomplete holds no slot, whether it sends byte by byte or not at all."""
    with a_bridge("--max-concurrency", "1", provider=provider) as bridge, ExitStack() as stack:
        slow = [stack.enter_context(bridge.stranger()) for _ in range(MANY)]
        for byte in said[:20]:
            for stranger in slow:
                stranger.sendall(bytes([byte]))
            assert bridge.in_flight() == 0
        for stranger in slow:
            stranger.sendall(said[20:])
        assert served(bridge)


def test_who_does_not_read_costs_a_buffer(provider: Provider) -> None:
    """Ten endless streams that are not read: others are served, the memory is bounded, all ends with them."""
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    with (
        a_liar() as liar,
        a_bridge(*liar.flags, *provider.flags[2:]) as bridge,
        unharmed(bridge),
        ExitStack() as stack,
    ):
        liar.say = for_ever(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk * 64)
        before = resident(bridge.process.pid)
        for _ in range(MANY):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", bridge.port))
            deaf.sendall(STATES["with a stream unread"])
        until(lambda: bridge.in_flight() == MANY, "all the streams")
        for _ in range(20):
            assert served(bridge)
        assert resident(bridge.process.pid) - before < 64 * MIB


BOMBS = {
    "a line of 10 MB": (GET[:-2] + b"x: " + b"x" * 10 * MIB, b"431"),
    "a name of 1 MB": (GET[:-2] + b"x" * MIB + b": x\r\n\r\n", b"431"),
    "a target of 1 MB": (b"GET /" + b"x" * MIB + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", b"431"),
    "a method of 1 MB": (b"G" * MIB + b" / HTTP/1.1\r\nhost: localhost\r\n\r\n", b"400"),
    "100,000 lines": (GET[:-2] + b"x: x\r\n" * 100_000 + b"\r\n", b"431"),
    "100,000 empty lines": (b"\r\n" * 100_000 + GET, b"431"),
    "an extension of 1 MB": (CHUNKED + b"1;" + b"x" * MIB + b"\r\n{\r\n0\r\n\r\n", b"400"),
    "100,000 extensions": (CHUNKED + b"1;x=%s\r\n{\r\n" % (b"x" * 50) * 100_000, b"400"),
    "a trailer of 1 MB": (CHUNKED + b"1\r\n{\r\n0\r\nx: " + b"x" * MIB + b"\r\n\r\n", b"400"),
    "a size of 1 MB": (CHUNKED + b"0" * MIB + b"1\r\n{\r\n0\r\n\r\n", b"400"),
    "a length of 1 MB": (HEAD + b"content-length: " + b"1" * MIB + b"\r\n\r\n", b"400"),
    "1 MB of zeros": (b"\0" * MIB, b"400"),
    "1 MB of everything": (bytes(range(256)) * 4096, b"400"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 1000, b"400"),
    "an upgrade to HTTP/2": (
        GET[:-2] + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n"
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"200",
    ),
    "a tunnel": (b"CONNECT localhost:1 HTTP/1.1\r\nhost: localhost:1\r\n\r\n" + bytes(range(256)), b"405"),
}


def told(stranger: socket.socket, data: bytes) -> bytes:
    """Send this, read the answer at the same time, and return it."""
    answers: list[bytes] = []
    reader = threading.Thread(target=lambda: answers.append(heard(stranger)))
    reader.start()
    with suppress(ConnectionError):
        stranger.sendall(data)
    reader.join(PATIENCE)
    [answer] = answers
    return answer


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_is_too_much_is_rejected_or_cut(bridge: Bridge, bomb: str) -> None:
    """Behind a head or a frame that never ends stands one refusal and the end, and no memory."""
    data, status = BOMBS[bomb]
    with unharmed(bridge):
        for _ in range(5):
            with bridge.stranger() as stranger:
                answer = told(stranger, data)
            # What was still on its way when it closed may have taken the answer back.
            statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
            assert statuses in ([], [status], [status, b"400"])
            assert not answer or b"onnection: close" in answer


@pytest.mark.parametrize("way", ["reads at the end", "reads at once", "in chunks"])
@pytest.mark.parametrize("reason", ["capacity", "circuit_open", "not_found"])
def test_a_reject_is_heard_over_a_large_upload(provider: Provider, reason: str, way: str) -> None:
    """Twenty megabytes on their way do not keep a caller from hearing that they are not wanted."""
    flags: tuple[str, ...] = ("--max-concurrency", "1", "--circuit-breaker", "--max-body", "64MiB")
    with a_bridge(*flags, provider=provider) as bridge, ExitStack() as stack:
        match reason:
            case "capacity":
                provider.script({"delay": 60})
                busy = stack.enter_context(bridge.stranger())
                busy.sendall(STATES["with a stream unread"])
                until(lambda: bridge.in_flight() == 1, "a full bridge")
            case "circuit_open":
                bridge.admin.post("/breakers/openai", json={"mode": "open"}).raise_for_status()
        stranger = stack.enter_context(bridge.stranger())
        head = HEAD.replace(b"completions", b"nowhere") if reason == "not_found" else HEAD
        body, framing = b"x" * 20_000_000, b"content-length: 20000000"
        if way == "in chunks":
            framing = b"transfer-encoding: chunked"
            body = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB) * 20 + b"0\r\n\r\n"
        stranger.sendall(head + framing + b"\r\n\r\n" + body[:100_000])
        answer = stranger.recv(65536) if way == "reads at once" else b""
        stranger.sendall(body[100_000:])
        stranger.shutdown(socket.SHUT_WR)
        answer += heard(stranger)
        assert b"x-aibridge-reject: %s\r\n" % reason.encode() in answer
        assert answer.endswith(b"}")
        assert answer.count(b"HTTP/1.1 ") == 1
        if reason == "shutting_down":
            bridge.process.signal()
            assert bridge.process.wait() == 1


def test_a_flood_of_connections_that_are_reset_at_once(bridge: Bridge) -> None:
    """A thousand that are gone before, or just after, they are let in."""
    with unharmed(bridge):
        for n in range(1000):
            stranger = bridge.stranger()
            if n % 2:
                stranger.sendall(GET)
            reset(stranger)


def test_urgent_bytes_are_ordinary_bytes(bridge: Bridge) -> None:
    """TCP's out-of-band data neither wakes nor confuses it."""
    with unharmed(bridge), bridge.stranger() as stranger:
        stranger.sendall(GET[:9])
        stranger.send(b"!", socket.MSG_OOB)
        stranger.sendall(GET[9:])
        assert stranger.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_reading_one_byte_at_a_time_is_reading(bridge: Bridge, provider: Provider) -> None:
    """A slow reader has its whole answer, and who comes meanwhile does not wait for it."""
    provider.script({"tokens": 50})
    with unharmed(bridge), bridge.stranger() as stranger:
        ask = STREAM.replace(b'"stream": true', b'"stream": false')
        stranger.sendall(HEAD + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(ask), ask))
        answer = b""
        while byte := stranger.recv(1):
            answer += byte
            if len(answer) % 200 == 0:
                assert served(bridge)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(body) in head


# TLS


def broken_record(identity: Identity, stranger: socket.socket) -> None:
    """Shake hands, then send what is no record."""
    wrapped = identity.trust.wrap_socket(stranger, server_hostname="127.0.0.1")
    raw = socket.socket(fileno=wrapped.detach())
    raw.settimeout(PATIENCE)
    raw.sendall(b"\x17\x03\x03\x00\x10" + bytes(16) + GET)
    heard(raw)
    raw.close()


def half_a_handshake(identity: Identity, stranger: socket.socket) -> None:
    """Say hello and go."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = identity.trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    stranger.sendall(outgoing.read())
    stranger.recv(10)
    reset(stranger)


def no_goodbye(identity: Identity, stranger: socket.socket) -> None:
    """Ask for a stream and reset the connection in the middle of it."""
    wrapped = identity.trust.wrap_socket(stranger, server_hostname="127.0.0.1")
    wrapped.sendall(STATES["with a stream unread"])
    wrapped.recv(10)
    reset(wrapped)


@pytest.fixture(scope="module")
def untrusting() -> ssl.SSLContext:
    """A context that trusts no certificate here."""
    return ssl.create_default_context()


def test_bad_tls_is_its_own_connections_end(
    secure: Bridge, identity: Identity, untrusting: ssl.SSLContext
) -> None:
    """Half a handshake, a broken record, an alert, a reset in the middle: others are served, and all is back."""
    with unharmed(secure):
        waiting = [secure.stranger() for _ in range(MANY)]  # they never say hello
        for attack in (broken_record, half_a_handshake, no_goodbye) * 5:
            attack(identity, secure.stranger())
            assert served(secure)
        for _ in range(5):
            with secure.stranger() as stranger, pytest.raises(ssl.SSLCertVerificationError):
                untrusting.wrap_socket(stranger, server_hostname="127.0.0.1")
        for stranger in waiting:
            stranger.close()
