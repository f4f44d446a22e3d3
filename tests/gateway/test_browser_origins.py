"""Which web pages may use a listener, and under which names: the Host, Origin and Sec-Fetch-Site of browsers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.config.addresses import HOSTS, ORIGINS
from aibridge_trio.config.settings import Address
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import ForbiddenOrigin
from aibridge_trio.events import Finished, Started
from aibridge_trio.gateway.browser_origins import Origins, host_name, is_loopback
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import AsgiBody
from tests.support.network import MemoryWire, Network

CHAT = "/openai/v1/chat/completions"
APP = "https://app.example"


def request(*headers: tuple[bytes, bytes], method: str = "POST") -> Request:
    return Request(method, b"/", b"", list(headers), "127.0.0.1", "127.0.0.1", AsgiBody(), on_loopback=True)


async def ok(request: Request, reply: Reply) -> None:
    """Answer 200, with words of the provider's own on pages."""
    async for _ in request.body:
        pass
    head = [(b"content-type", b"application/json"), (b"vary", b"accept-encoding")]
    await reply.answer(200, [*head, (b"access-control-allow-origin", b"https://provider.example")], b"{}")


# Names


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"127.0.0.1:4001",
        b"127.9.9.9:1",
        b"[::1]",
        b"[::1]:4001",
        b"[::ffff:127.0.0.1]:4001",
        b"localhost",
        b"LocalHost:8080",
        b"localhost.:4001",
    ],
)
def test_loopback_names(host: bytes) -> None:
    """Addresses of the loopback and `localhost` are this machine's, on any port: it may be forwarded."""
    assert is_loopback(host)
    Origins().check_host(request((b"host", host)))


FOREIGN = [
    b"evil.example",
    b"evil.example:4001",
    b"localhost.evil.example",
    b"evil.localhost",
    b"127.0.0.1.nip.io",
    b"127.0.0.1.evil.example:4001",
    b"localhost@evil.example",
    b"127.0.0.1:80@evil.example",
    b"evil.example:localhost",
    b"0.0.0.0:4001",
    b"[::]:4001",
    b"10.0.0.1",
    b"[::ffff:10.0.0.1]",
    b"::1",
    b"[localhost]",
    b"[::1",
    b"2130706433",
    b"\xff\xfe",
    b":4001",
    b".",
    b"",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names(host: bytes) -> None:
    """A name that DNS may lead anywhere, or that is none, is refused; the reject quotes it and the remedy."""
    with pytest.raises(ForbiddenOrigin) as caught:
        Origins().check_host(request((b"host", host)))
    assert "--allowed-hosts" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_request_without_a_host_passes() -> None:
    """A request without a Host passes, because no browser leaves it out."""
    Origins().check_host(request())


@pytest.mark.parametrize("host", [b"bridge.example", b"Bridge.Example:80", b"bridge.example.", b"10.0.0.7:4001"])
def test_names_that_were_allowed(host: bytes) -> None:
    """An allowed name passes in any case, with any port, with or without a final dot."""
    Origins(HOSTS.parse("bridge.EXAMPLE., 10.0.0.7")).check_host(request((b"host", host)))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_name_or_none(host: bytes) -> None:
    """Whatever stands in a Host is read without an error, and its name has no port."""
    assert b"@" not in host_name(host)
    assert is_loopback(host) in (True, False)


def test_a_long_value_is_cut_and_printable() -> None:
    """A caller's value is quoted cut and printable, so that it moves no cursor."""
    with pytest.raises(ForbiddenOrigin) as caught:
        Origins().check_host(request((b"host", b"\x1b]0;" + b"x" * 5000)))
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


# Pages


def page(*headers: tuple[bytes, bytes], origins: str = "", scheme: bytes = b"http") -> bytes | None:
    own = Origins(origins=ORIGINS.parse(origins))
    return own.check_page(request((b"host", b"localhost:4001"), *headers), schemes=[scheme])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"http://localhost:4001")],
        [(b"origin", b"http://localhost:4001"), (b"sec-fetch-site", b"same-origin")],
        [(b"sec-fetch-site", b"none")],
        [(b"sec-fetch-site", b"same-origin")],
        [(b"sec-fetch-mode", b"cors")],
    ],
)
def test_its_own_pages_and_programs_pass(headers: list[tuple[bytes, bytes]]) -> None:
    """The bridge's own pages, a typed address and Node's fetch, which sends its mode only, pass."""
    assert page(*headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"https://localhost:4001")],
        [(b"origin", b"http://localhost:4002")],
        [(b"origin", b"http://localhost")],
        [(b"origin", b"http://127.0.0.1:4001")],
        [(b"origin", b"http://localhost:4001.evil.example")],
        [(b"origin", b"http://localhost:4001 https://evil.example")],
        [(b"origin", b"http://localhost:4001"), (b"origin", b"https://evil.example")],
        [(b"origin", b"http://localhost:4001"), (b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"anything")],
        [(b"sec-fetch-site", b"")],
        [(b"sec-fetch-site", b"none"), (b"sec-fetch-site", b"cross-site")],
    ],
)
def test_other_pages_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """A header that shows a page of another origin is refused, and the reject names the remedy."""
    with pytest.raises(ForbiddenOrigin, match="--allowed-origins"):
        page(*headers)


def test_the_scheme_is_part_of_an_origin() -> None:
    """Behind TLS the bridge's own pages are https, and the scheme's default port may be left out."""
    assert page((b"origin", b"https://localhost:4001"), scheme=b"https") is None
    with pytest.raises(ForbiddenOrigin):
        page((b"origin", b"http://localhost:4001"), scheme=b"https")
    for scheme, host in ((b"http", b"bridge.example:80"), (b"https", b"bridge.example:443")):
        asked = request((b"host", host), (b"origin", scheme + b"://bridge.example"))
        assert Origins().check_page(asked, schemes=[scheme]) is None


def test_without_a_host_no_origin_is_its_own() -> None:
    """An origin without a host is not the bridge's own."""
    with pytest.raises(ForbiddenOrigin):
        Origins().check_page(request((b"origin", b"http://")), schemes=[b"http"])


@pytest.mark.parametrize("origin", [b"https://app.example", b"null", b"vscode-webview://abc", b"file://"])
def test_pages_that_were_allowed(origin: bytes) -> None:
    """An allowed origin passes, whatever the browser says of sites."""
    origins = "https://app.example:443, null, vscode-webview://ABC, file://"
    assert page((b"origin", origin), (b"sec-fetch-site", b"cross-site"), origins=origins) == origin
    with pytest.raises(ForbiddenOrigin):
        page((b"sec-fetch-site", b"cross-site"), origins=origins)


@pytest.mark.parametrize(
    "text", ["*", "app.example", "https://", "https://a/b", "https://a/", "https://u@a", "a://b c"]
)
def test_what_is_no_origin_is_a_mistake(text: str) -> None:
    """An origin is a scheme and a host, as browsers write it; every page there is can't be allowed."""
    with pytest.raises(InvalidValue):
        ORIGINS.parse(text)


@pytest.mark.parametrize("text", ["http://a", "a:80", "a b", "a,,b", "*", "[::1"])
def test_what_is_no_host_is_a_mistake(text: str) -> None:
    """A host is a name or an address, without a port."""
    with pytest.raises(InvalidValue):
        HOSTS.parse(text)


# On the way


async def test_a_foreign_page_costs_nothing(autojump_clock: MockClock, network: Network) -> None:
    """A foreign page's request is refused on every path before slot and rate, and no provider is dialled."""
    async with network.bridge(max_concurrency=1, rate_limit=1) as bridge:
        for path in ("/", "/openai/v1", "/nowhere", CHAT):
            for headers in (
                {"origin": "https://evil.example"},
                {"sec-fetch-site": "cross-site"},
                {"origin": "null"},
            ):
                answer = await bridge.client.post(path, headers=headers, content=b"{}")
                assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (403, "forbidden_origin")
                assert "access-control-allow-origin" not in answer.headers
                assert "x-ratelimit-limit" not in answer.headers
        assert bridge.published(Started) == []
        assert (await bridge.client.get("/")).status_code == 200
        assert {event.reject for event in bridge.published(Finished)} == {"forbidden_origin", None}


@pytest.mark.parametrize(("host", "status"), [("evil.example", 403), ("bridge.example", 200), ("localhost", 200)])
async def test_the_host_is_asked_for_on_loopback(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    """Names in --bind and --allowed-hosts are known; on other listeners any Host passes."""
    async with network.bridge(allowed_hosts=("bridge.example",)) as bridge:
        # The last of its connection: whether that is on loopback is the same for all of its requests.
        last = {"host": "evil.example", "connection": "close"}
        assert (await bridge.client.get("/", headers=last)).status_code == 200
        monkeypatch.setattr(MemoryWire, "on_loopback", True)
        assert (await bridge.client.get("/", headers={"host": host})).status_code == status


async def test_the_names_in_bind_are_known(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener may be addressed by a configured name."""
    monkeypatch.setattr(MemoryWire, "on_loopback", True)
    async with network.bridge(bind=(Address("Bridge.Internal", 4001),)) as bridge:
        assert (await bridge.client.get("/", headers={"host": "bridge.internal:4001"})).status_code == 200
        assert (await bridge.client.get("/", headers={"host": "bridge.external:4001"})).status_code == 403


async def test_an_allowed_page_may_read_the_answer(autojump_clock: MockClock, network: Network) -> None:
    """Answers and rejects name the allowed origin once, instead of the provider's value; its Vary stays."""
    await network.answer("openai", ok)
    async with network.bridge(allowed_origins=(APP,)) as bridge:
        headers = {"origin": APP, "sec-fetch-site": "cross-site"}
        for path in (CHAT, "/openai/v1/nothing"):
            answer = await bridge.client.post(path, headers=headers, content=b"{}")
            assert answer.headers.get_list("access-control-allow-origin") == [APP]
            assert "x-aibridge-reject" in answer.headers["access-control-expose-headers"]
            assert answer.headers.get_list("vary")[-1] == "Origin"
        plain = await bridge.client.post(CHAT, content=b"{}")
        assert plain.headers["access-control-allow-origin"] == "https://provider.example"
        assert plain.headers.get_list("vary") == ["accept-encoding"]


async def test_preflights_of_allowed_pages_are_answered(autojump_clock: MockClock, network: Network) -> None:
    """An allowed page's preflight gets 204 without slot or rate; others get 403; another OPTIONS is routed."""
    asked = {
        "origin": APP,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
        "access-control-request-private-network": "true",
    }
    async with network.bridge(allowed_origins=(APP,), rate_limit=1) as bridge:
        for _ in range(3):
            answer = await bridge.client.options(CHAT, headers=asked)
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["access-control-allow-origin"] == APP
            assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert answer.headers["access-control-allow-private-network"] == "true"
        evil = {**asked, "origin": "https://evil.example"}
        assert (await bridge.client.options(CHAT, headers=evil)).status_code == 403
        odd = {**asked, "access-control-request-headers": "x\x01y"}
        assert "access-control-allow-headers" not in (await bridge.client.options(CHAT, headers=odd)).headers
        assert (await bridge.client.options(CHAT, headers={"origin": APP})).status_code == 404


async def test_behind_a_trusted_proxy_its_pages_are_https(autojump_clock: MockClock, network: Network) -> None:
    """Behind a trusted proxy the bridge's own pages may be https; for other peers https is another origin."""
    headers = {"host": "bridge.example", "origin": "https://bridge.example", "sec-fetch-site": "same-origin"}
    from ipaddress import ip_network

    async with network.bridge(trusted_proxies=(ip_network("10.0.0.2/32"),)) as bridge:
        assert (await bridge.client.get("/", headers=headers)).status_code == 200
        async with network.client("bridge", address="10.0.0.3") as other:
            assert (await other.get("/", headers=headers)).status_code == 403


async def test_while_it_drains_a_foreign_page_gets_the_reason(autojump_clock: MockClock, network: Network) -> None:
    """While the bridge drains, a foreign page's request is refused with shutting_down."""
    async with network.bridge(drain_delay=5.0) as bridge:
        bridge.bridge.lifecycle.phase = "stopping"
        answer = await bridge.client.get("/", headers={"origin": "null"})
        assert answer.headers["x-aibridge-reject"] == "shutting_down"


async def test_the_operator_s_listener_refuses_pages_too(autojump_clock: MockClock, network: Network) -> None:
    """The admin listener refuses pages of other origins as well, and knows the allowed names."""
    async with network.bridge(allowed_hosts=("ops.example",)) as bridge:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            answer = await bridge.admin.get("/status", headers={"host": "localhost", **headers})
            assert answer.status_code == 403
        headers = {"host": "ops.example:4002", "origin": "http://ops.example:4002"}
        assert (await bridge.admin.get("/status", headers=headers)).status_code == 200
