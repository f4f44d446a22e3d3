"""Why a call failed, in words: specific, of bounded length, and nothing that a caller sent."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Finished
from aibridge_trio.net.fault_causes import cause, is_refusal
from tests.support.network import Network


def certificate() -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(
        1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1)"
    )
    error.verify_message = "self-signed certificate"
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] x (_ssl.c:1)")
    error.reason = reason
    return error


def of(error: BaseException, came_of: BaseException) -> BaseException:
    error.__cause__ = came_of
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "reset by peer"),
        (BrokenPipeError(errno.EPIPE, "x"), "reset by peer"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
        (OSError(errno.EMFILE, "x"), "too many open files"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name not found"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "name look-up failed: Temporary failure"),
        (certificate(), "certificate verify failed: self-signed certificate"),
        (tls("WRONG_VERSION_NUMBER"), "TLS: wrong version number"),
        (of(trio.BrokenResourceError(), certificate()), "certificate verify failed: self-signed certificate"),
        (trio.BrokenResourceError("it ended without a close_notify"), "it ended without a close_notify"),
        (trio.ClosedResourceError(), "closed here"),
        (
            of(
                OSError("all attempts failed"),
                ExceptionGroup("", [ConnectionRefusedError(errno.ECONNREFUSED, "x")]),
            ),
            "connection refused",
        ),
        (
            of(httpx.ConnectError("[Errno 111]"), ConnectionRefusedError(errno.ECONNREFUSED, "x")),
            "connection refused",
        ),
        (KeyError("secret"), "KeyError"),
    ],
)
def test_what_it_came_of_is_said(error: BaseException, said: str) -> None:
    """The most specific of the chain, without what it quotes."""
    assert cause(error) == said


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), True),
        (ConnectionResetError(errno.ECONNRESET, "x"), True),
        (OSError(errno.EHOSTUNREACH, "x"), True),
        (OSError(errno.ENETUNREACH, "x"), True),
        (TimeoutError(errno.ETIMEDOUT, "x"), True),
        (trio.BrokenResourceError("it spoke or ended before it was asked"), True),
        (of(OSError("all failed"), ExceptionGroup("", [ConnectionRefusedError(errno.ECONNREFUSED, "x")])), True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (certificate(), False),
        (of(trio.BrokenResourceError(), certificate()), False),
        (tls("WRONG_VERSION_NUMBER"), False),
        (OSError(errno.EMFILE, "x"), False),
        (httpx.UnsupportedProtocol("x"), False),
    ],
)
def test_which_connection_may_succeed_later(error: BaseException, passes: bool) -> None:
    """Refused, reset, closed at once, unreachable or late; not a wrong name, a certificate or our own shortage."""
    assert is_refusal(of(httpx.ConnectError("x"), error)) == passes


def test_a_detail_is_printable_and_bounded() -> None:
    """Whatever a library says."""
    fault = UpstreamFault("head", "a\n\x1b[31m" + "x" * 10_000)
    assert fault.detail.startswith("a??[31mxxx")
    assert fault.detail.isprintable()
    assert len(fault.detail) == 200
    assert str(fault) == f"broken before the head: {fault.detail}"
    assert str(UpstreamFault("connect", "")) == "no connection"


@pytest.mark.parametrize(
    ("said", "status", "logged"),
    [
        (None, 502, "no connection: connection refused"),
        (b"", 502, "broken before the head: closed before the head"),
        (b"SSH-2.0-OpenSSH\r\n", 502, "broken before the head: malformed: Expected HTTP/"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            502,
            "broken before the head: malformed: it switches",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx",
            200,
            "answer broken: closed in the middle of the answer",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            200,
            "answer broken: malformed: Invalid character",
        ),
    ],
)
async def test_every_fault_has_its_cause_in_the_log(
    autojump_clock: MockClock, network: Network, said: bytes | None, status: int, logged: str
) -> None:
    """Not only the phase."""

    async def saying(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(said or b"")
        await stream.aclose()

    if said is not None:
        network.raw("openai", saying)

    async def refuse(_host: str, _port: int) -> None:
        await trio.lowlevel.checkpoint()
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    if said is None:
        network._link = refuse  # type: ignore[method-assign, assignment]
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"GET /openai/v1/models HTTP/1.0\r\n\r\n")
        heard = b""
        try:
            while piece := await stream.receive_some():
                heard += piece
        except trio.BrokenResourceError:
            pass
        assert heard.startswith(b"HTTP/1.1 %d " % status)
        [finished] = bridge.published(Finished)
        assert finished.cause.startswith(logged)
        await stream.aclose()


@pytest.mark.parametrize(
    ("option", "logged"),
    [
        ("connect_timeout", "connect timed out"),
        ("first_byte_timeout", "no head in time"),
        ("idle_timeout", "answer silent"),
    ],
)
async def test_a_silence_has_its_cause_too(
    autojump_clock: MockClock, network: Network, option: str, logged: str
) -> None:
    """What was waited for, in vain."""

    async def silent(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        if option == "idle_timeout":
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")
        await trio.sleep_forever()

    network.raw("openai", silent)
    if option == "connect_timeout":
        network.blackholes.add("openai")
    async with network.bridge(**{option: 5.0}) as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"GET /openai/v1/models HTTP/1.0\r\n\r\n")
        await trio.sleep(10)
        [finished] = bridge.published(Finished)
        assert finished.cause.startswith(logged)
        await stream.aclose()
