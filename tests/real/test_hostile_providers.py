"""Providers that lie: what they say reaches a caller right or visibly broken, and harms no other caller.

Deadlines here are short, by the bridge's own options.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.liars import Liar, Say, a_liar, byte_by_byte, for_ever, then_close, then_reset, then_stay
from tests.support.processes import ASK, CHAT, Bridge, Provider, a_bridge, exhaust, until
from tests.support.unharmed import MIB, links, unharmed

pytestmark = pytest.mark.real

ASKED: Any = {"model": "m", "messages": ASK}
OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"content-type: application/json\r\ncontent-length: 4\r\n\r\n"
CHUNKED = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSE = OK + b"content-type: application/json\r\n\r\n"


class Seen(NamedTuple):
    """What a caller holds: its body is None where the answer broke off."""

    status: int
    reject: str | None
    body: bytes | None


UNREACHABLE, TOO_LATE = (502, "upstream_unreachable"), (504, "upstream_timeout")


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    """A provider that says what a test wants."""
    with a_liar() as liar:
        yield liar


@pytest.fixture(scope="module")
def before(liar: Liar, provider: Provider) -> Iterator[Bridge]:
    """A bridge whose OpenAI is the liar, and whose Anthropic is honest."""
    limits = ("--first-byte-timeout", "1s", "--idle-timeout", "1s")
    with a_bridge(*limits, *liar.flags, *provider.flags[2:]) as bridge:
        yield bridge


def seen(bridge: Bridge, method: str = "POST", path: str = CHAT, content: bytes | None = None) -> Seen:
    """Ask, and tell what came."""
    body = content if content is not None else json.dumps(ASKED).encode() if method == "POST" else None
    with bridge.caller.stream(method, path, content=body) as answer:
        reject = answer.headers.get("x-aibridge-reject")
        try:
            heard = b"".join(answer.iter_raw())
        except httpx.RemoteProtocolError:
            return Seen(answer.status_code, reject, None)
        return Seen(answer.status_code, reject, heard)


# No answer

NO_ANSWER: dict[str, tuple[Say, tuple[int, str]]] = {
    "nothing, and leaves": (then_close(b""), UNREACHABLE),
    "nothing, and resets": (then_reset(b""), UNREACHABLE),
    "nothing, and stays": (then_stay(b""), TOO_LATE),
    "half a first line": (then_stay(b"HTTP/1.1 2"), TOO_LATE),
    "half a head": (then_close(OK + b"content-length: 4\r\n"), UNREACHABLE),
    "garbage": (then_stay(bytes(range(256)) * 100), UNREACHABLE),
    "zeros": (then_stay(bytes(MIB)), UNREACHABLE),
    "SSH": (then_stay(b"SSH-2.0-OpenSSH_9.2\r\n"), UNREACHABLE),
    "a TLS alert": (then_stay(b"\x15\x03\x03\x00\x02\x02\x46"), UNREACHABLE),
    "HTTP/2": (then_stay(b"\0\0\0\4\0\0\0\0\0"), UNREACHABLE),
    "HTTP/0.9": (then_close(b"<html>hello</html>"), UNREACHABLE),
    "another version": (then_stay(b"HTTP/3.0 200 OK\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "a request": (then_stay(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"), UNREACHABLE),
    "a head of 1 MB": (then_stay(OK + b"x: " + b"x" * MIB + b"\r\n\r\n"), UNREACHABLE),
    "a head of 100,000 lines": (then_stay(OK + b"x: y\r\n" * 100_000 + b"\r\n"), UNREACHABLE),
    "a phrase of 1 MB": (then_stay(b"HTTP/1.1 200 " + b"x" * MIB + b"\r\n\r\n"), UNREACHABLE),
    "an endless head": (for_ever(OK, b"x: y\r\n"), UNREACHABLE),
    "interim answers for ever": (for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), UNREACHABLE),
    "hints for ever": (for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100), UNREACHABLE),
    "an interim answer and no more": (then_stay(b"HTTP/1.1 100 Continue\r\n\r\n"), TOO_LATE),
    "a switch": (then_stay(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"), UNREACHABLE),
    "status 99": (then_stay(b"HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "status 2000": (then_stay(b"HTTP/1.1 2000 X\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "length and chunks": (then_stay(OK + b"content-length: 4\r\n" + CHUNKED[len(OK) :]), UNREACHABLE),
    "two lengths": (then_stay(OK + b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde"), UNREACHABLE),
    "a list of lengths": (then_stay(OK + b"content-length: 4, 4\r\n\r\nabcd"), UNREACHABLE),
    "a negative length": (then_stay(OK + b"content-length: -4\r\n\r\nabcd"), UNREACHABLE),
    "an endless length": (then_stay(OK + b"content-length: " + b"9" * 5000 + b"\r\n\r\nabcd"), UNREACHABLE),
    "two codings": (then_stay(OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), UNREACHABLE),
    "a folded line": (then_stay(OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "bare line feeds": (then_stay(b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"), UNREACHABLE),
    "a bare CR in a header": (then_stay(OK + b"x: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "a NUL in a header": (then_stay(OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n"), UNREACHABLE),
    "a blank before a colon": (then_stay(OK + b"content-length : 0\r\n\r\n"), UNREACHABLE),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_is_no_response_is_reported_as_such(before: Bridge, liar: Liar, name: str) -> None:
    """Its caller gets the bridge's own 502 or 504 and none of those bytes; no other caller is affected."""
    liar.say, expected = NO_ANSWER[name]
    with unharmed(before):
        for _ in range(2):
            found = seen(before)
            assert (found.status, found.reject) == expected
            assert found.body is not None
            assert json.loads(found.body)["error"]["type"] == "server_error"


# Answers that break off

BROKEN: dict[str, Say] = {
    "shorter than announced": then_close(SIZED + b"ab"),
    "shorter than announced, by a reset": then_reset(SIZED + b"ab"),
    "shorter than announced, and silent": then_stay(SIZED + b"ab"),
    "a head alone": then_stay(SIZED),
    "chunks without an end": then_close(CHUNKED + b"2\r\nab\r\n"),
    "chunks without an end, by a reset": then_reset(CHUNKED + b"2\r\nab\r\n"),
    "chunks without an end, and silent": then_stay(CHUNKED + b"2\r\nab\r\n"),
    "half a last chunk": then_close(CHUNKED + b"2\r\nab\r\n0\r\n"),
    "a bad size": then_stay(CHUNKED + b"2\r\nab\r\nzz\r\n"),
    "a negative size": then_stay(CHUNKED + b"2\r\nab\r\n-2\r\nab\r\n"),
    "an endless size": then_stay(CHUNKED + b"2\r\nab\r\nfffffffffffffffff\r\nab\r\n"),
    "a size that is not kept": then_stay(CHUNKED + b"2\r\nabc\r\n0\r\n\r\n"),
    "a bare LF behind a size": then_stay(CHUNKED + b"2\nab\r\n0\r\n\r\n"),
    "a chunk of 8 EiB": then_close(CHUNKED + b"7fffffffffffffff\r\nab"),
    "an extension without an end": for_ever(CHUNKED + b"2\r\nab\r\n2;", b"x" * 4096),
    "trailers without an end": for_ever(CHUNKED + b"2\r\nab\r\n0\r\n", b"x: y\r\n" * 1000),
    "no framing, and a reset": then_reset(UNTIL_CLOSE + b"ab"),
    "no framing, and silent": then_stay(UNTIL_CLOSE + b"ab"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_off_is_seen_to_break_off(before: Bridge, liar: Liar, name: str) -> None:
    """However it broke, in HTTP/1.1 and in 1.0, no caller takes it for whole."""
    liar.say = BROKEN[name]
    with unharmed(before):
        assert seen(before) == Seen(200, None, None)
        with before.stranger() as stranger:
            stranger.sendall(b"GET /openai/v1/models HTTP/1.0\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                exhaust(iter(lambda: stranger.recv(65536), b""), [])


# Answers that are answers, for all that stands round them

BODY = b"abcd"
GZIPPED = gzip.compress(BODY, mtime=0)
WHOLE: dict[str, tuple[Say, int, bytes]] = {
    "interim answers before it": (
        then_stay(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + SIZED + BODY),
        200,
        BODY,
    ),
    "a second answer": (then_stay(SIZED + BODY + SIZED + b"evil"), 200, BODY),
    "a second answer later": (then_stay(SIZED + BODY + b"\r\n\r\n" + CHUNKED), 200, BODY),
    "a longer body": (then_stay(SIZED + BODY + b"evil"), 200, BODY),
    "garbage behind the last chunk": (then_stay(CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n" + bytes(256)), 200, BODY),
    "a trailer": (then_stay(CHUNKED + b"4\r\nabcd\r\n0\r\nx-evil: 1\r\n\r\n"), 200, BODY),
    "an extension": (then_stay(CHUNKED + b'4;a="b"\r\nabcd\r\n0\r\n\r\n'), 200, BODY),
    "no framing": (then_close(UNTIL_CLOSE + BODY), 200, BODY),
    "HTTP/1.0": (then_close(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), 200, BODY),
    "gzip, though nobody asked": (
        then_stay(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(GZIPPED), GZIPPED)),
        200,
        GZIPPED,
    ),
    "gzip that is none": (then_stay(OK + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd"), 200, BODY),
    "204 with a body": (then_stay(b"HTTP/1.1 204 No Content\r\n\r\n" + b"evil"), 204, b""),
    "304 with a length": (then_stay(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n"), 304, b""),
    "a status that nobody knows": (then_stay(b"HTTP/1.1 999 \r\ncontent-length: 4\r\n\r\nabcd"), 999, BODY),
    "nothing": (then_stay(OK + b"content-length: 0\r\n\r\n"), 200, b""),
    "byte by byte": (byte_by_byte(SIZED + BODY), 200, BODY),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_ends_where_it_says(before: Bridge, liar: Liar, name: str) -> None:
    """Bytes after an answer's end are discarded, and the next requests get answers of their own."""
    liar.say, status, body = WHOLE[name]
    with unharmed(before):
        for _ in range(3):
            assert seen(before) == (status, None, body)
        liar.say = then_stay(SIZED + b"next")
        assert seen(before) == (200, None, b"next")


def test_a_head_has_no_body_whatever_is_sent(before: Bridge, liar: Liar) -> None:
    """A body behind the answer to a HEAD is no part of any answer."""
    liar.say = then_stay(SIZED + b"evil")
    with unharmed(before):
        for _ in range(3):
            assert seen(before, "HEAD", "/openai/v1/models") == (200, None, b"")
        liar.say = then_stay(SIZED + b"next")
        assert seen(before, "GET", "/openai/v1/models") == (200, None, b"next")


EVENTS = {
    "no JSON": b"data: {{{\n\n",
    "deep JSON": b"data: " + b"[" * 100_000 + b"\n\n",
    "numbers beyond floats": b'data: {"usage":{"prompt_tokens":1e999,"completion_tokens":-1e999}}\n\n',
    "numbers beyond integers": b'data: {"usage":{"prompt_tokens":' + b"9" * 5000 + b"}}\n\n",
    "long integers": b'data: {"usage":{"prompt_tokens":' + b"9" * 400 + b',"completion_tokens":1}}\n\n',
    "negative tokens": b'data: {"usage":{"prompt_tokens":-5,"completion_tokens":-5}}\n\n',
    "not a number": b'data: {"usage":{"prompt_tokens":NaN,"completion_tokens":Infinity}}\n\n',
    "other types": b'data: {"usage":[1],"error":7,"type":{"a":[]},"choices":"x","message":null}\n\n',
    "odd text": b'data: {"error":{"code":"\xff\xfe","type":"\\ud800"}}\n\n\xff\xfe\x00\n\n',
    "an event of 5 MB": b"data: " + b"x" * 5 * MIB + b"\n\n",
    "a million lines": b":\n" * 1_000_000,
    "no line at all": b"x" * MIB,
}


@pytest.mark.parametrize("name", EVENTS)
def test_what_only_passes_is_not_understood_at_any_price(before: Bridge, liar: Liar, name: str) -> None:
    """A stream that is nonsense inside is relayed byte for byte, and it is no bug of ours."""
    event = EVENTS[name]
    liar.say = then_stay(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(event), event))
    with unharmed(before):
        assert seen(before) == (200, None, event)
        liar.say = then_stay(OK + b"content-length: %d\r\n\r\n%s" % (len(event[6:]), event[6:]))
        assert seen(before) == (200, None, event[6:])
        metrics = before.admin.get("/metrics").raise_for_status()
        assert before.admin.get("/status").raise_for_status().json()["schema"] == 1
        assert " nan" not in metrics.text.lower()


def test_what_is_not_for_callers_stays_here(before: Bridge, liar: Liar) -> None:
    """Hop-by-hop headers, those that `Connection` names, and ours that a provider pretends to be."""
    liar.say = then_close(
        OK + b"connection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=1\r\nproxy-authenticate: x\r\n"
        b"x-aibridge-reject: capacity\r\nupgrade: h2c\r\ntrailer: x\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\n{}"
    )
    with unharmed(before):
        headers = before.caller.post(CHAT, json=ASKED).headers
        assert headers["x-kept"] == "1"
        assert not {"x-hop", "keep-alive", "proxy-authenticate", "x-aibridge-reject", "upgrade"} & set(headers)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_who_refuses_an_upload_in_the_middle_has_answered_or_broken(
    before: Bridge, liar: Liar, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A 413 that comes before 5 MB are through is passed on, or a 502 where the reset took it back."""
    data = b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\nconnection: close\r\n\r\nabcd"
    liar.say = {"close": then_close, "reset": then_reset}[end](data)
    monkeypatch.setattr(liar, "early", True)
    with unharmed(before):
        for _ in range(5):
            with before.stranger() as stranger:
                stranger.sendall(b"POST %s HTTP/1.1\r\nhost: localhost\r\n" % CHAT.encode())
                stranger.sendall(b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (MIB, b"x" * MIB) * 5)
                stranger.sendall(b"0\r\n\r\n")
                answer = stranger.recv(65536)
            assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 502 "))


def test_a_response_before_its_request_reaches_no_caller(before: Bridge, liar: Liar) -> None:
    """Bytes on a kept connection that no request waits for end it: they are not the next request's answer."""
    liar.say = then_stay(SIZED + BODY)
    with unharmed(before):
        assert seen(before) == (200, None, BODY)
        for sock in tuple(liar._open):
            sock.sendall(SIZED + b"evil")
        pid = before.process.pid
        until(lambda: sum(link.unread for link in links(pid) if link.other == liar.port), "bytes for nobody")
        assert seen(before) == (200, None, BODY)


def test_who_leaves_an_endless_answer_ends_it(before: Bridge, liar: Liar) -> None:
    """The provider sees its caller go, and its connection is not kept."""
    ended: list[bool] = []

    def endless(sock: socket.socket) -> None:
        try:
            for_ever(CHUNKED, b"4\r\nabcd\r\n" * 1000)(sock)
        finally:
            ended.append(True)

    liar.say = endless
    with unharmed(before):
        for _ in range(5):
            with before.caller.stream("POST", CHAT, json=ASKED) as answer:
                next(answer.iter_raw())
        until(lambda: len(ended) == 5, "five ends at the provider")
