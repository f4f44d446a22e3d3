"""URLs of the store: what is read, what is shown, and that no error quotes a password."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.store_url import PREFIX, STORE, store_address
from aibridge_trio.config.units import InvalidValue, Secret
from aibridge_trio.sharing.redis.address import Host, RedisAddress

H = Host("h", 6379)


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("redis://h", RedisAddress(kind="server", hosts=(H,)), "redis://h"),
        ("REDIS://h:7/", RedisAddress(kind="server", hosts=(Host("h", 7),)), "redis://h:7/"),
        ("valkey://h/2", RedisAddress(kind="server", hosts=(H,), database=2), "valkey://h/2"),
        ("redis://[::1]", RedisAddress(kind="server", hosts=(Host("::1", 6379),)), "redis://[::1]"),
        (
            "rediss://u:p%40%2F@h/0?ca=/x%20y.pem",
            RedisAddress(kind="server", hosts=(H,), tls=True, user="u", password="p@/", ca=Path("/x y.pem")),
            "rediss://***@h/0?ca=/x%20y.pem",
        ),
        ("redis://:secret@h", RedisAddress(kind="server", hosts=(H,), password="secret"), "redis://***@h"),
        ("unix:///run/r.sock", RedisAddress(kind="socket", path="/run/r.sock"), "unix:///run/r.sock"),
        (
            "unix://u:p@/run/r.sock?db=3",
            RedisAddress(kind="socket", path="/run/r.sock", database=3, user="u", password="p"),
            "unix://***@/run/r.sock?db=3",
        ),
        (
            "redis+sentinel://:p@a,b:7/main/1?sentinel_password=q",
            RedisAddress(
                kind="sentinel",
                hosts=(Host("a", 26379), Host("b", 7)),
                service="main",
                database=1,
                password="p",
                sentinel_password="q",
            ),
            "redis+sentinel://***@a,b:7/main/1?sentinel_password=***",
        ),
        (
            "valkeys+cluster://a:1,b:2",
            RedisAddress(kind="cluster", hosts=(Host("a", 1), Host("b", 2)), tls=True),
            "valkeys+cluster://a:1,b:2",
        ),
    ],
)
def test_a_url_is_read_and_shown_without_its_passwords(url: str, address: RedisAddress, shown: str) -> None:
    """All kinds, with defaults for ports."""
    value = STORE.parse(url)
    assert store_address(value) == address
    assert STORE.show(value) == shown == str(value)
    assert "secret" not in repr(value) + repr(address)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "not a URL"),
        ("h:6379", "not a URL"),
        ("http://h", "not a URL"),
        ("redis+unix://h", "not a URL"),
        ("redis://", "no valid host"),
        ("redis://h:0", "port 0"),
        ("redis://h:65536", "no valid host"),
        ("redis://h:x", "no valid host"),
        ("redis://::1", "no valid host"),
        ("redis://1.2.3", "no valid host"),
        ("redis://h/x", "not a number"),
        ("redis://h/1/2", "longer path"),
        ("redis://h/99999", "not a number"),
        ("redis://a,b", "sentinels or a cluster"),
        ("redis://zz@h", "no password"),
        ("redis://zz:@h", "no password"),
        ("redis://:zz/zz@h", "percent-encoded"),
        ("redis://:zz@zz@h", "percent-encoded"),
        ("redis://:zz:zz@h", "percent-encoded"),
        ("redis://:zz#zz@h", "fragment"),
        ("redis://:zz%@h", "%25"),
        ("redis://:%ff@h", "UTF-8"),
        ("redis://:zz%00@h", "NUL"),
        ("redis://h ", "printable ASCII"),
        ("redis://h?zz=1", "none of"),
        ("redis://h?ca=/x", "none of"),
        ("rediss://h?ca=x", "absolute path"),
        ("redis://h?sentinel_password=zz", "none of"),
        ("unix://run/r.sock", "absolute path"),
        ("unix:///run/", "absolute path"),
        ("unix:///" + "x" * 103, "longer than"),
        ("redis+sentinel://a", "service"),
        ("redis+sentinel://a/ma in", "printable"),
        ("redis+cluster://a/1", "database 0"),
        ("redis+cluster://a,a", "twice"),
        ("redis+cluster://" + ",".join(f"h{n}" for n in range(33)), "more than 32"),
    ],
)
def test_what_is_none_is_refused_without_a_password(url: str, problem: str) -> None:
    """The message names the problem, and quotes nothing of what may be a password."""
    with pytest.raises(InvalidValue, match=problem) as caught:
        STORE.parse(url)
    assert "zz" not in str(caught.value)


@given(st.text(st.characters(codec="ascii")), st.text(st.characters(codec="ascii")))
def test_any_text_is_a_value_or_invalid(scheme: str, rest: str) -> None:
    """A parser raises nothing else."""
    for text in (scheme, f"redis://{rest}", f"redis+sentinel://{rest}", f"unix://{rest}", f"rediss://h?{rest}"):
        with suppress(InvalidValue):
            store_address(STORE.parse(text))


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_password_can_be_written(password: str) -> None:
    """Percent-encoded it is read as it was."""
    try:
        written = quote(password, safe="")
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    assert store_address(Secret(f"redis://:{written}@h")).password == password


@pytest.mark.parametrize("text", ["", "a b", "{x}", "x" * 65, "ä"])
def test_a_prefix_is_short_and_plain(text: str) -> None:
    """No braces: they would choose another slot of a cluster."""
    assert PREFIX.parse("team-a:prod_1.x") == "team-a:prod_1.x"
    with pytest.raises(InvalidValue):
        PREFIX.parse(text)
