from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.addresses import (
    ADDRESS,
    BASE_URL,
    BINDS,
    NETWORKS,
    PROXY,
    Address,
    Bind,
    UnixSocket,
    bypasses,
)
from aibridge_trio.config.units import InvalidValue


@given(st.ip_addresses(), st.integers(0, 65535))
def test_addresses_round_trip(ip: object, port: int) -> None:
    """An address that is shown and read again is the same; IPv6 stands in brackets."""
    address = Address(str(ip), port)
    assert ADDRESS.parse(str(address)) == address
    assert str(address).startswith("[") == (":" in address.host)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4001", "127.0.0.1", 4001),
        ("[::1]:0", "::1", 0),
        ("[0:0:0:0:0:0:0:1]:1", "::1", 1),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("localhost:65535", "localhost", 65535),
        ("my-host_1.example:1", "my-host_1.example", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """An address is a name, an IPv4 address or an IPv6 address in brackets, and a port."""
    assert ADDRESS.parse(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "a",
        "a:",
        "a:x",
        "a:65536",
        "a:-1",
        "::1:1",
        "[::1]",
        "[x]:1",
        "a b:1",
        "1.2.3.256:1",
        "127.1:1",
        "*:1",
    ],
)
def test_not_addresses(text: str) -> None:
    """Without host, port or brackets, or with a number that only looks like an address, it is none."""
    with pytest.raises(InvalidValue):
        ADDRESS.parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("127.example.com", False),
        ("128.0.0.1", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Loopback is localhost, 127.0.0.0/8 and ::1; everything else may be reached from outside."""
    assert Address(host, 1).is_loopback is loopback


@pytest.mark.parametrize(
    ("text", "binds"),
    [
        ("127.0.0.1:1", (Address("127.0.0.1", 1),)),
        ("[::]:1, unix:/run/a b.sock", (Address("::", 1), UnixSocket("/run/a b.sock"))),
        ("localhost:0,localhost:0", (Address("localhost", 0), Address("localhost", 0))),
        (f"unix:/{'x' * 102}", (UnixSocket(f"/{'x' * 102}"),)),
    ],
)
def test_binds(text: str, binds: tuple[Bind, ...]) -> None:
    """Where to listen is one address or several, each of TCP or a unix socket's path; they read as they show."""
    assert BINDS.parse(text) == binds
    assert BINDS.parse(BINDS.show(binds)) == binds


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "localhost:1,",
        "localhost:1,localhost:1",
        "unix:/a,unix:/a",
        "unix:",
        "unix:/",
        "unix:run/a",
        "unix:@abstract",
        "unix:/run/",
        "unix:/a\nb",
        "unix:/a\0b",
        f"unix:/{'x' * 103}",
        f"unix:/{'ü' * 52}",
    ],
)
def test_not_binds(text: str) -> None:
    """A relative or abstract path, one that no socket can have, and an address twice are mistakes."""
    with pytest.raises(InvalidValue):
        BINDS.parse(text)


def test_a_unix_socket_is_local() -> None:
    """Other machines can't connect to it."""
    assert UnixSocket("/run/bridge").is_loopback


@pytest.mark.parametrize(
    ("no_proxy", "authority", "named"),
    [
        ("*", "api.example.com", True),
        ("a.example, *", "api.example.com", True),
        ("", "api.example.com", False),
        ("example.com", "api.example.com", True),
        ("example.com", "Example.COM.", True),
        (".example.com", "api.example.com", True),
        (".example.com", "example.com", True),
        ("*.example.com", "api.example.com", True),
        ("*example.com", "anexample.com", False),
        ("example.com", "anexample.com", False),
        ("api.example.com", "example.com", False),
        ("a.example example.com", "example.com", True),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("example.com:8443", "api.example.com:8443", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.9.9.9:8443", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "10.example.com", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        (".3", "10.1.2.3", False),
        ("fd00::/8", "[fd12::1]", True),
        ("fd00::/8", "[fd12::1]:8443", True),
        ("::1", "[0:0:0:0:0:0:0:1]", True),
        ("[::1]", "[::1]", True),
        ("[::1]:443", "[::1]", True),
        ("[::1]:80", "[::1]", False),
        ("10.0.0.0/99,/8,:80,.,*.", "10.0.0.1", False),
        ("10.0.0.0/99,/8,:80,.,*.", "example.com", False),
    ],
)
def test_no_proxy(no_proxy: str, authority: str, named: bool) -> None:
    """NO_PROXY holds names with what is beneath them, addresses, networks, each perhaps with a port, and `*`."""
    assert bypasses(no_proxy, authority, 443) is named


@given(st.text(), st.text())
def test_no_proxy_raises_nothing(no_proxy: str, authority: str) -> None:
    """Whatever the environment holds, it names the host or does not."""
    assert bypasses(no_proxy, authority, 443) in (True, False)


def test_networks() -> None:
    """Networks are separated by commas; a bare address is a network of one; nothing is none."""
    assert NETWORKS.parse("10.0.0.0/8, ::1,192.0.2.7") == (
        ip_network("10.0.0.0/8"),
        ip_network("::1/128"),
        ip_network("192.0.2.7/32"),
    )
    assert NETWORKS.parse("") == ()


@pytest.mark.parametrize("text", ["x", "10.0.0.0/33", "10.0.0.0/8,", ",", "10.0.0.0/-1", "300.0.0.0/8"])
def test_not_networks(text: str) -> None:
    """An empty item or an impossible prefix makes no network."""
    with pytest.raises(InvalidValue):
        NETWORKS.parse(text)


def test_host_bits_are_named_with_the_network_meant() -> None:
    """A network with host bits set is refused, and the one that was probably meant is offered."""
    with pytest.raises(InvalidValue, match="host bits") as caught:
        NETWORKS.parse("10.1.2.3/8")
    assert caught.value.instead == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("HTTP://Example.COM:8080/", "http://example.com:8080"),
        ("http://[::1]:4010/Openai/v1", "http://[::1]:4010/Openai/v1"),
        ("http://mock_1", "http://mock_1"),
    ],
)
def test_base_urls(text: str, url: str) -> None:
    """A base URL is http or https with a host, and loses the slash at its end."""
    assert BASE_URL.parse(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com",
        "ftp://example.com",
        "https://",
        "https:///v1",
        "https://:443",
        "https://example.com:0x50",
        "https://example.com:65536",
        "https://example.com/a b",
        "https://example.com/ü",
        "https://exa\nmple.com",
        "https://example.com\\@evil.example",
        "https://example.com?x",
        "https://example.com#x",
        "https://[::1",
        "https://1.2.3.999",
        "https://a..b/v1",
        f"https://{'x' * 64}.example",
        f"https://{'x.' * 130}example",
    ],
)
def test_not_base_urls(text: str) -> None:
    """Another scheme, no host, a query, a fragment or anything but printable ASCII makes no base URL."""
    with pytest.raises(InvalidValue):
        BASE_URL.parse(text)


PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).map("hunter2{}".format)


@given(PASSWORDS)
def test_a_password_in_a_base_url_is_refused_unseen(password: str) -> None:
    """A base URL with userinfo is refused, and what it held is not repeated."""
    with pytest.raises(InvalidValue) as caught:
        BASE_URL.parse(f"https://user:{password}@example.com/v1")
    assert "hunter2" not in str(caught.value)


@given(PASSWORDS)
def test_a_proxys_password_is_never_shown(password: str) -> None:
    """Of a proxy's userinfo nothing is shown but that there is some, whether the URL is accepted or not."""
    url = f"http://user:{password}@proxy.example:3128"
    try:
        proxy = PROXY.parse(url)
        said = f"{proxy} {proxy!r} {PROXY.show(proxy)}"
    except InvalidValue as invalid:
        said = str(invalid)
    assert "hunter2" not in said


def test_a_proxy_keeps_its_password_for_the_wire() -> None:
    """What is hidden in every text is there when it is needed."""
    proxy = PROXY.parse("http://user:p%40ss:@w@proxy.example:3128/")
    assert proxy.reveal() == "http://user:p%40ss:@w@proxy.example:3128"
    assert str(proxy) == "http://***@proxy.example:3128"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "socks5://proxy:1080",
        "http://",
        "http://user@",
        "http://proxy/path",
        "http://proxy?x",
        "http://us er@proxy",
        "http://a/b@proxy",
        "http://user:hunter2",
        "http://proxy:99999",
    ],
)
def test_not_proxies(text: str) -> None:
    """Another scheme, no host, a path or an unencoded delimiter makes no proxy, and nothing is repeated."""
    with pytest.raises(InvalidValue) as caught:
        PROXY.parse(text)
    assert (text.rpartition("/")[2] or "nothing") not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("[::1]:3128/", "http://[::1]:3128"),
        ("user:pass@proxy.example:3128", "http://user:pass@proxy.example:3128"),
        ("proxy.example", "http://proxy.example"),
    ],
)
def test_a_proxy_without_a_scheme_is_one_in_clear_text(text: str, url: str) -> None:
    """As curl takes HTTPS_PROXY=HOST:PORT."""
    assert PROXY.parse(text).reveal() == url
    assert "pass" not in str(PROXY.parse(text))


def test_a_proxy_without_userinfo_is_shown_whole() -> None:
    """Only userinfo is hidden."""
    assert str(PROXY.parse("HTTP://Proxy.example:3128/")) == "http://proxy.example:3128"
