"""One request on a connection and its response: continue, body, framing."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.http.request_head import Head
from aibridge_trio.http.response_writer import FramingError
from aibridge_trio.net.poller import Poller
from aibridge_trio.providers import Dialect, dialects
from aibridge_trio.server import exchange as exchanges
from aibridge_trio.server.asgi import HandlerApplication, Message, Receive, Scope, Send
from aibridge_trio.server.dates import DateHeader
from aibridge_trio.server.exchange import Exchange
from aibridge_trio.server.writer import Flusher, ResponseWriter
from tests.errors.test_rejects import CASES, Case
from tests.errors.test_rejects import plain as headers_of
from tests.server.test_connection import GET, OK, Serve, answer, ok, piece, post, serve, start, whole_body

__all__ = ["serve"]


async def test_a_100_is_sent_when_the_body_is_wanted(autojump_clock: MockClock, serve: Serve) -> None:
    """Not before the application asks for it, and once."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(10)
        assert await whole_body(receive) == b"abc"
        await answer(send)

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    await trio.sleep(9)
    assert caller.heard() == b""
    await trio.sleep(2)
    assert caller.heard() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await caller.say(b"a")
    await trio.sleep(1)
    await caller.say(b"bc")
    await trio.sleep(1)
    assert caller.heard() == OK


async def test_a_100_is_not_sent_for_a_body_that_is_there(autojump_clock: MockClock, serve: Serve) -> None:
    """A caller that did not wait needs no 100."""
    caller = await (await serve(ok)).call(post(3, b"expect: 100-continue") + b"abc")
    assert caller.heard() == OK


async def test_a_100_is_not_sent_behind_a_head(autojump_clock: MockClock, serve: Serve) -> None:
    """Once an answer has begun, it is too late to ask for anything."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        assert await whole_body(receive) == b"abc"
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    await caller.say(b"abc")
    await wait_all_tasks_blocked()
    said = caller.heard()
    assert b" 100 " not in said
    assert said.endswith(b"0\r\n\r\n")


async def test_a_body_that_is_refused_is_not_asked_for(autojump_clock: MockClock, serve: Serve) -> None:
    """The response closes the connection, because it is unknown whether the body will come."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"no", 413)

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    said = caller.heard()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in said
    assert b"100 Continue" not in said


@pytest.mark.parametrize(
    ("messages", "complete"),
    [
        ([start(), piece(b"abc")], b"0\r\n\r\n"),
        ([start((b"content-length", b"3")), piece(b"abc")], b"abc"),
        ([start((b"content-length", b"3")), piece(b"abcd", more=False)], b"abc"),
        ([start((b"content-length", b"3")), piece(b"ab", more=False)], b"abc"),
        ([start((b"content-length", b"0"))], b"\r\n\r\n"),
        ([start(status=204)], b"\r\n\r\n"),
        ([start(), start()], b"0\r\n\r\n"),
    ],
)
async def test_an_answer_that_broke_does_not_look_whole(
    autojump_clock: MockClock, serve: Serve, messages: list[Message], complete: bytes
) -> None:
    """Whatever is missing or too much, what completes an answer goes out with its end, and with nothing else."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
            await trio.sleep(0.1)

    caller = await (await serve(app)).call(GET)
    await trio.sleep(1)
    assert not caller.heard().endswith(complete)
    assert caller.closed


async def test_a_head_is_answered_without_a_body(autojump_clock: MockClock, serve: Serve) -> None:
    """And the next request stands on its own."""
    caller = await (await serve(ok)).call(GET.replace(b"GET", b"HEAD") + GET)
    assert caller.heard() == OK.removesuffix(b"ok") + OK


async def test_who_leaves_in_the_middle_of_the_last_write_ends_nothing(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The handler has said all; what it does behind its answer is done."""
    ended: list[str] = []

    async def handler(_: Request, reply: Reply) -> None:
        try:
            await reply.write(200, [], b"x" * 200_000)
            await reply.end()
            ended.append("whole")
        except BaseException:
            ended.append("cut")
            raise

    site = await serve(HandlerApplication(handler))
    caller = await site.call()
    taken = trio.Event()

    async def send(_: bytes) -> None:
        await taken.wait()
        raise trio.BrokenResourceError

    caller.wire.push = lambda _: 0
    caller.wire.send = send
    await caller.say(GET)
    await wait_all_tasks_blocked()
    assert ended == []
    caller.wire.stream.receive_stream.put_eof()
    await wait_all_tasks_blocked()
    taken.set()
    await wait_all_tasks_blocked()
    assert ended == ["whole"]


async def test_what_comes_behind_the_answer_is_counted_and_not_kept(autojump_clock: MockClock) -> None:
    """Pieces after the response are counted and discarded."""

    class Sink:
        longest = 0.0

        def begin(self) -> None:
            pass

        def send_last(self, _: bytes) -> bool:
            return True

    class Connection:
        writer: Any = Sink()
        last = False

        async def read_body(self) -> None:
            await trio.lowlevel.checkpoint()

        def cancel(self) -> None:
            pass

    exchange = Exchange(Head("POST", b"/", "1.1", [], 100, expects_continue=False, closes=False), Connection())
    exchange.add_data(b"before")
    exchange.begin(204, [])
    await exchange.finish()
    exchange.add_data(b"behind")
    assert exchange.received == 12
    assert exchange.pop_data() is None
    assert not exchange._pieces


class Carried:
    """A connection that keeps what an exchange writes; `last` is as in Carrier."""

    def __init__(self, last: bool) -> None:
        self.last = last
        self.written = bytearray()
        self.writer = ResponseWriter(
            cast("Any", self), Flusher(lambda _: None), spawn=lambda _: None, on_closed=lambda: None
        )

    def push(self, data: bytes) -> int:
        self.written += data
        return len(data)

    async def read_body(self) -> None:
        raise AssertionError

    def cancel(self) -> None:
        raise AssertionError


def arrived(carrier: Carried, method: str = "POST", version: str = "1.1", **more: Any) -> Exchange:
    head = Head(method, b"/openai/v1/chat/completions", version, [], None, False, more.pop("closes", False))
    exchange = Exchange(head, carrier)
    exchange.add_data(b"{}")
    exchange.received_all = True
    exchange.add_defaults([(b"x-request-id", b"req_0123")])
    exchange.add_defaults([(b"x-ratelimit-limit", b"9"), (b"x-ratelimit-remaining", b"0")])
    for change, header in more.items():
        getattr(exchange, change)(header)
    return exchange


FROM_PAGE: dict[str, Any] = {"override": [(b"access-control-allow-origin", b"https://a.example")]}
WAYS: list[tuple[bool, dict[str, Any]]] = [
    (False, {}),
    (True, {}),
    (False, {"closes": True}),
    (False, {"method": "HEAD"}),
    (False, {"version": "1.0", "closes": True}),
    (False, FROM_PAGE),
    (False, {"add": (b"vary", b"Origin")}),
]


@pytest.mark.parametrize(("last", "request_"), WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("dialect", [dialects.openai, dialects.anthropic])
@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
async def test_a_reject_from_its_template_is_the_one_from_its_headers(
    monkeypatch: pytest.MonkeyPatch, case: Case, dialect: Dialect, last: bool, request_: dict[str, Any]
) -> None:
    """Byte for byte, for all reasons and dialects, and whatever the request was."""
    monkeypatch.setattr(exchanges, "DATE", DateHeader(lambda: 1795683600.0))
    reject, body = case.reject, dialect(case.reject, b"req_0123")
    both = []
    for lines in (True, False):
        carrier = Carried(last)
        exchange = arrived(carrier, **request_)
        if lines:
            await exchange.write_lines(reject.status, reject.lines(0.1), body)
        else:
            headers: Headers = [*headers_of(reject, 0.1), (b"date", exchange.date())]
            await exchange.start(reject.status, [*headers, (b"content-length", b"%d" % len(body))], more=True)
            await exchange.send(body)
        assert not carrier.written  # its head would not wait for its end
        await exchange.end()
        carrier.writer.flush()
        assert exchange.framing
        state = exchange.status, exchange.sent, exchange.ended, exchange.responded, exchange.framing.closes
        both.append((bytes(carrier.written), state))
    assert both[0] == both[1]


async def test_what_a_template_adds_to_a_head_is_not_there_before() -> None:
    """So that no name of a default stands in the head of a reject, where it would come twice."""
    defaults = {b"x-request-id", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"}
    for case in CASES:
        assert defaults.isdisjoint(name for name, _ in case.reject.headers(0.0))


async def test_nothing_follows_a_whole_response() -> None:
    """It can be ended once, and no piece can be added."""
    exchange = arrived(Carried(last=False))
    await exchange.write_lines(503, b"a: b\r\n", b"body")
    with pytest.raises(FramingError):
        await exchange.send(b"more")
    await exchange.end()
    with pytest.raises(FramingError):
        await exchange.end()


async def test_a_whole_response_goes_out_at_once_if_its_connection_is_alone() -> None:
    """A turn of the loop for one write would be most of its cost; with others, their writes go together."""
    poller = Poller()
    carrier, others = Carried(last=False), Carried(last=False)
    flusher = Flusher(lambda _: None, poller)
    for each in (carrier, others):
        each.writer = ResponseWriter(cast("Any", each), flusher, spawn=lambda _: None, on_closed=lambda: None)
    for each, alone in ((carrier, True), (others, False)):
        poller.alone = alone
        exchange = arrived(each)
        await exchange.write_lines(503, b"a: b\r\n", b"body")
        await exchange.end()
        assert bool(each.written) is alone
    poller.close()
