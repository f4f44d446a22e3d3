from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.http.message import Request
from aibridge_trio.server.asgi import AsgiBody

LONG = b"sk-proj-0123456789abcdef"
CALLERS = CallerIdentifier()

tokens = st.binary(min_size=1, max_size=40).map(bytes.strip).filter(bool)


def request(*headers: tuple[bytes, bytes], client: str | None = "203.0.113.7") -> Request:
    return Request(
        method="GET", path=b"/", query=b"", headers=list(headers), client=client, server=None, body=AsgiBody()
    )


def identify(*headers: tuple[bytes, bytes], client: str | None = "203.0.113.7") -> Caller:
    return CALLERS.identify(request(*headers, client=client))


def bearer(token: bytes) -> tuple[bytes, bytes]:
    return (b"authorization", b"Bearer " + token)


def origin(*forwarded: str, client: str | None = "10.0.0.1", trusted: str = "10.0.0.0/8,fd00::/8") -> str:
    """Return the address that counts, as the hint of an anonymous caller shows it."""
    callers = CallerIdentifier([ip_network(network) for network in trusted.split(",") if network])
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return callers.identify(request(*headers, client=client)).hint


# --- Credentials


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER", b"bEaReR"])
def test_bearer_in_any_case(scheme: bytes) -> None:
    """The scheme is read in any case, and white space round the token is none of it."""
    assert identify((b"authorization", scheme + b" " + LONG)) == identify(bearer(LONG))
    assert identify((b"authorization", b" " + scheme + b"   " + LONG + b" ")) == identify(bearer(LONG))


def test_x_api_key() -> None:
    """Without a bearer token the API key names the caller."""
    caller = identify((b"x-api-key", LONG))
    assert caller.authenticated
    assert caller != identify((b"x-api-key", LONG + b"x"))


def test_the_credential_is_the_caller_whichever_header_brings_it() -> None:
    """One credential is one caller, over all providers' headers: it has one budget."""
    assert identify((b"x-api-key", LONG)) == identify(bearer(LONG))


def test_bearer_comes_before_x_api_key() -> None:
    """Of both, the bearer token names the caller."""
    assert identify(bearer(b"one"), (b"x-api-key", b"two")) == identify(bearer(b"one"))
    assert identify((b"x-api-key", b"two"), bearer(b"one")) == identify(bearer(b"one"))


def test_another_scheme_names_no_caller() -> None:
    """Other schemes are no credential here: the API key beside them is, else the address."""
    basic = (b"authorization", b"Basic dXNlcjpwYXNz")
    assert identify(basic, (b"x-api-key", b"two")) == identify((b"x-api-key", b"two"))
    assert identify(basic) == identify()


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"")],
        [(b"authorization", b"  ")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"bearer   ")],
        [(b"x-api-key", b"")],
        [(b"x-api-key", b"\t ")],
        [bearer(b"a"), (b"x-api-key", b"")],
        [(b"authorization", b""), (b"x-api-key", b"b")],
    ],
)
def test_an_empty_credential_is_a_bad_request(headers: list[tuple[bytes, bytes]]) -> None:
    """An empty credential header is a mistake that must not turn into an anonymous caller."""
    with pytest.raises(BadRequest, match="empty credential header"):
        identify(*headers)


@pytest.mark.parametrize(
    "headers",
    [
        [bearer(b"a"), bearer(b"a")],
        [bearer(b"a"), bearer(b"b")],
        [bearer(b"a"), (b"authorization", b"Basic x")],
        [(b"x-api-key", b"a"), (b"x-api-key", b"b")],
        [bearer(b"a"), (b"x-api-key", b"a"), (b"x-api-key", b"b")],
    ],
)
def test_a_repeated_credential_is_a_bad_request(headers: list[tuple[bytes, bytes]]) -> None:
    """A repeated credential header may mean another caller to the next reader."""
    with pytest.raises(BadRequest, match="repeated credential header"):
        identify(*headers)


@given(tokens, tokens)
def test_different_credentials_are_different_callers(one: bytes, other: bytes) -> None:
    """Two callers are one if and only if their credentials are."""
    assert (identify((b"x-api-key", one)).key == identify((b"x-api-key", other)).key) == (one == other)


def test_a_credential_that_looks_like_an_address_is_not_it() -> None:
    """A caller that sends an address as its token does not become the caller at that address."""
    assert identify(bearer(b"203.0.113.7")).key != identify(client="203.0.113.7").key


# --- What is shown and kept


def test_a_hint_is_the_last_four_of_a_long_credential() -> None:
    """The hint of a credential of 16 characters or more is its last four."""
    assert identify(bearer(b"0123456789abwxyz")).hint == "…wxyz"


def test_a_short_credential_has_no_hint() -> None:
    """A credential of fewer than 16 characters has no hint: four would be too much of it."""
    assert identify(bearer(b"0123456789awxyz")).hint == "…"


@given(tokens)
def test_a_hint_shows_no_more_than_four_printable_characters(token: bytes) -> None:
    """Whatever the bytes of a credential, its hint is short and harmless on a terminal."""
    hint = identify((b"x-api-key", token)).hint
    assert len(hint) <= 5
    assert hint.isprintable()


def test_keys_differ_between_starts() -> None:
    """The hash has a new key at every start: it identifies callers, and cannot be looked up."""
    one, other = CallerIdentifier(), CallerIdentifier()
    assert one.identify(request(bearer(LONG))).key != other.identify(request(bearer(LONG))).key
    assert one.identify(request(bearer(LONG))) == one.identify(request(bearer(LONG)))


def test_no_repr_shows_a_credential() -> None:
    """Neither requests nor callers nor what makes them show a credential or the hash's key."""
    callers = CallerIdentifier()
    asked = request(bearer(LONG), (b"x-api-key", b"other-secret-key"))
    shown = f"{asked!r} {callers.identify(asked)!r} {callers!r} {asked}"
    assert "sk-proj" not in shown
    assert "0123456789" not in shown
    assert "other-secret" not in shown
    assert repr(callers._secret) not in shown


@pytest.mark.parametrize("headers", [[bearer(LONG), bearer(LONG)], [(b"x-api-key", LONG), (b"x-api-key", b"")]])
def test_no_message_shows_a_credential(headers: list[tuple[bytes, bytes]]) -> None:
    """A reject of a credential does not quote it."""
    with pytest.raises(BadRequest) as caught:
        identify(*headers)
    assert "sk-proj" not in str(caught.value)


# --- Addresses


def test_without_a_credential_it_is_the_address() -> None:
    """Callers without a credential are identified by their addresses."""
    caller = identify(client="203.0.113.7")
    assert not caller.authenticated
    assert caller.hint == "203.0.113.7"
    assert caller.key != identify(client="203.0.113.8").key


def test_ipv6_counts_by_its_64() -> None:
    """A site with a /64 is one caller: it has 2**64 addresses."""
    assert identify(client="2001:db8:1:2::1") == identify(client="2001:db8:1:2:ffff::9")
    assert identify(client="2001:db8:1:2::1") != identify(client="2001:db8:1:3::1")
    assert identify(client="2001:db8:1:2::1").hint == "2001:db8:1:2::/64"


def test_mapped_ipv4_is_ipv4() -> None:
    """An IPv4 address that a dual-stack socket shows as IPv6 is the same caller, not all of IPv4."""
    assert identify(client="::ffff:203.0.113.7") == identify(client="203.0.113.7")
    assert identify(client="::ffff:203.0.113.7") != identify(client="::ffff:203.0.113.8")


def test_a_zone_is_no_part_of_an_address() -> None:
    """Link-local callers are identified without their zone."""
    assert identify(client="fe80::1%eth0") == identify(client="fe80::1")


@pytest.mark.parametrize("client", ["", "unix:", "not an address"])
def test_no_address_is_one_caller(client: str | None) -> None:
    """All callers without an address are one caller."""
    assert identify(client=client).hint == "unknown"


def test_callers_by_a_unix_socket_are_one_caller() -> None:
    """Without a credential they share one budget, and are shown as `unix`: their socket has no addresses."""
    assert identify(client=None).hint == "unix"
    assert identify(client=None) != identify(client="")


# --- X-Forwarded-For


def test_forwarded_for_is_not_believed_by_default() -> None:
    """X-Forwarded-For counts only if it comes from a trusted proxy."""
    assert origin("1.2.3.4", client="203.0.113.7") == "203.0.113.7"
    assert origin("1.2.3.4", client="10.0.0.1", trusted="") == "10.0.0.1"


def test_forwarded_for_of_a_trusted_proxy() -> None:
    """A trusted proxy names the address that it forwards for."""
    assert origin("1.2.3.4") == "1.2.3.4"
    assert origin("2001:db8:1:2::9", client="fd00::1") == "2001:db8:1:2::/64"


def test_forwarded_for_is_read_from_the_right() -> None:
    """The rightmost address that is no trusted proxy counts: what stands left of it the caller invented."""
    assert origin("6.6.6.6, 1.2.3.4, 10.0.0.9") == "1.2.3.4"
    assert origin("10.9.9.9, 1.2.3.4") == "1.2.3.4"


def test_forwarded_for_may_be_repeated() -> None:
    """Several headers are one list, in order."""
    assert origin("6.6.6.6", "1.2.3.4, 10.0.0.9", "10.0.0.8") == "1.2.3.4"


def test_all_trusted() -> None:
    """If every hop is a trusted proxy, the first of them is the caller."""
    assert origin("10.0.0.3, 10.0.0.2") == "10.0.0.3"


@pytest.mark.parametrize("garbage", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[", "]:1", "\xff", "0x7f.1"])
def test_garbage_in_forwarded_for_ends_the_reading(garbage: str) -> None:
    """What is no address is not believed, nor what stands left of it: the last trusted hop counts."""
    assert origin(garbage) == "10.0.0.1"
    assert origin(f"1.2.3.4, {garbage}, 10.0.0.5") == "10.0.0.5"
    assert origin(f"{garbage}, 1.2.3.4") == "1.2.3.4"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        (" 1.2.3.4 ", "1.2.3.4"),
    ],
)
def test_addresses_as_proxies_write_them(written: str, meant: str) -> None:
    """Ports, brackets, mapped addresses and white space do not hide an address."""
    assert origin(written) == meant


def test_a_mapped_trusted_proxy_is_trusted() -> None:
    """A trusted proxy that a dual-stack socket shows as IPv6 is trusted."""
    assert origin("1.2.3.4", client="::ffff:10.0.0.1") == "1.2.3.4"


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_no_forwarded_for_makes_it_raise(values: list[bytes]) -> None:
    """Whatever stands in the header, an anonymous caller is an address."""
    callers = CallerIdentifier([ip_network("10.0.0.0/8")])
    headers = [(b"x-forwarded-for", value) for value in values]
    assert callers.identify(request(*headers, client="10.0.0.1")).hint.isprintable()


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=5))
def test_only_trusted_hops_can_be_skipped(hops: list[str]) -> None:
    """Whatever a caller writes to the left, it cannot choose its address: its own hop stands."""
    assert origin(*hops, "198.51.100.9") == "198.51.100.9"


def test_api_key_comes_last() -> None:
    """Azure's header names a caller as the others do, behind both."""
    assert identify((b"api-key", LONG)) == identify(bearer(LONG))
    assert identify((b"api-key", b"three"), (b"x-api-key", b"two")) == identify((b"x-api-key", b"two"))
    for headers in ([(b"api-key", b"")], [(b"api-key", b"a"), (b"api-key", b"b")]):
        with pytest.raises(BadRequest, match="Api-Key"):
            identify(*headers)


def test_other_proxies_can_be_trusted_later() -> None:
    """The same address stays the same caller."""
    callers = CallerIdentifier()
    asked = request((b"x-forwarded-for", b"198.51.100.1"), client="10.0.0.1")
    assert callers.identify(asked).hint == "10.0.0.1"
    direct = callers.identify(request(client="198.51.100.1"))
    callers.apply([ip_network("10.0.0.0/8")])
    assert callers.identify(asked) == direct


def test_an_own_key_is_the_callers_key_unless_the_caller_is_known() -> None:
    """Limits go by the one, what a provider says of a key by the other."""
    caller = identify(bearer(LONG))
    assert caller.own_key == caller.key
    assert identify().own_key is None
    known = CALLERS.with_own_key(Caller(CALLERS.key_of_name("x"), "x", authenticated=False, name="x"), LONG)
    assert (known.key, known.own_key) == (CALLERS.key_of_name("x"), caller.own_key)
    assert known.key != caller.key
