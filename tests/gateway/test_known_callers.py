"""Known callers: what names a caller, what is removed from its request, and what is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.caller_tokens import new_token
from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest, UnknownCaller, UnknownCallerLimited
from aibridge_trio.events import ignore
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.known_callers import Authenticator
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Request
from aibridge_trio.server.asgi import AsgiBody, AsgiReply
from tests.support.known_callers import DEV, EXPIRED, FREE, KNOWN, OTHER, REVOKED

BEFORE, AFTER = datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(2020, 3, 1, tzinfo=UTC)
KEYS = ("authorization", "x-api-key", "api-key")
OWN = "sk-own-0123456789abcdef"


class Lab:
    """An authenticator with clocks that are set by hand."""

    def __init__(self, known: KnownCallers = KNOWN, *, allow_anonymous: bool = False) -> None:
        self.now = 0.0
        self.today = AFTER
        self.callers = CallerIdentifier()
        self.settings = Settings(known_callers=known, allow_anonymous=allow_anonymous)
        self.authenticator = Authenticator(
            self.callers,
            self.settings,
            lambda request: request.path == b"/",
            lambda: self.now,
            lambda: self.today.timestamp(),  # noqa: PLW0108 - as it is then
        )

    def check(self, request: Request) -> Caller | None:
        return self.authenticator.check(request, record(request))

    def name(self, request: Request) -> str | None:
        """Return the name of a request's caller; None if it is rejected as unknown."""
        try:
            caller = self.check(request)
        except UnknownCaller:
            return None
        return caller.name if caller else "anonymous"


def record(request: Request) -> Record:
    async def send(_: object) -> None:
        pass

    assert isinstance(request.body, AsgiBody)
    return Record(request, AsgiReply(send, request.body), lambda: 0.0, ignore)


def asking(
    given: Mapping[str, str] | None = None,
    /,
    *,
    client: str = "203.0.113.7",
    path: bytes = b"/openai/v1/models",
    certificate: tuple[str, ...] = (),
    **headers: str,
) -> Request:
    """Return a request; of header names `_` is `-`, and `authorization` is sent as Bearer."""
    sent = [
        (name.replace("_", "-").encode(), (f"Bearer {value}" if name == "authorization" else value).encode())
        for name, value in {**(given or {}), **headers}.items()
    ]
    return Request("GET", path, b"", sent, client, None, AsgiBody(), certificate=certificate)


# --- Where a token is


@pytest.mark.parametrize("header", ["authorization", "x_api_key", "api_key", "x_aibridge_token"])
def test_a_token_is_taken_from_where_a_key_goes_and_leaves_the_request(header: str) -> None:
    """Nothing of it goes up: neither its header nor, as a caller's own, its credential."""
    request = asking({header: DEV, "accept": "*/*"})
    caller = Lab().check(request)
    assert caller
    assert (caller.name, caller.hint, caller.class_name) == ("dev-07", "dev-07", "people")
    assert (caller.authenticated, caller.own_key) == (False, None)
    assert request.headers == [(b"accept", b"*/*")]
    assert request.header_values(header.replace("_", "-").encode()) == []


def test_a_key_beside_the_token_is_the_callers_own() -> None:
    """With X-AIBridge-Token the headers for keys stay as they came, and their key rests apart from others."""
    lab = Lab()
    request = asking(x_aibridge_token=DEV, authorization=OWN)
    caller = lab.check(request)
    assert caller
    assert (caller.name, caller.authenticated) == ("dev-07", True)
    assert caller.own_key == lab.callers.identify(asking(authorization=OWN)).own_key is not None
    assert request.headers == [(b"authorization", f"Bearer {OWN}".encode())]


def test_of_two_headers_for_keys_one_may_hold_the_token_and_the_other_an_own_key() -> None:
    """Claude Code sends two when both of its variables are set."""
    for token_in, key_in in (("authorization", "x_api_key"), ("x_api_key", "authorization")):
        request = asking({token_in: DEV, key_in: OWN})
        caller = Lab().check(request)
        assert caller
        assert (caller.name, caller.authenticated) == ("dev-07", True)
        assert [name for name, _ in request.headers] == [key_in.replace("_", "-").encode()]


def test_x_aibridge_token_decides_alone() -> None:
    """A wrong one is not saved by a token elsewhere: the caller has said which one it means."""
    assert Lab().name(asking(x_aibridge_token=REVOKED, authorization=DEV)) is None
    assert Lab().name(asking(x_aibridge_token=OTHER, authorization=DEV)) == "ci"


def test_whatever_has_a_listed_hash_is_a_token() -> None:
    """The form of new tokens is a convenience for scanners."""
    assert Lab().name(asking(authorization=FREE)) == "dev-07"


@given(
    st.dictionaries(
        st.sampled_from(["authorization", "x_api_key", "api_key", "x_aibridge_token"]),
        st.sampled_from([DEV, OTHER, FREE, EXPIRED, REVOKED, OWN, "Token " + REVOKED]),
        min_size=1,
    ),
    st.booleans(),
)
def test_no_token_stays_in_a_request_that_goes_on(headers: dict[str, str], allow_anonymous: bool) -> None:
    """Whatever is combined: listed, expired or revoked, what has a token's form goes nowhere."""
    request = asking(headers)
    lab = Lab(allow_anonymous=allow_anonymous)
    if lab.name(request) is not None:
        left = repr(request.headers)
        assert not any(token in left for token in (DEV, OTHER, FREE, EXPIRED, REVOKED))
        assert "x-aibridge-token" not in left


@pytest.mark.parametrize("allow_anonymous", [True, False])
@pytest.mark.parametrize("known", [DEV, REVOKED])
@pytest.mark.parametrize("name", ["cookie", "user_agent", "x_goog_api_key", "x_request_id"])
def test_a_token_in_another_header_leaves_the_request(name: str, known: str, allow_anonymous: bool) -> None:
    """It names no one; and it would go up, or stand in the log."""
    request = asking({name: f"session={known}", "accept": "*/*"}, x_aibridge_token=DEV)
    assert Lab(allow_anonymous=allow_anonymous).name(request) == "dev-07"
    assert request.headers == [(b"accept", b"*/*")]
    request = asking({name: known})
    assert known.encode() not in record(request).request_id
    assert Lab(allow_anonymous=allow_anonymous).name(request) == ("anonymous" if allow_anonymous else None)
    assert request.headers == []


@pytest.mark.parametrize("path", [True, False])
@pytest.mark.parametrize("token", [DEV, REVOKED])
def test_a_token_in_the_url_is_rejected(token: str, path: bool) -> None:
    """Even beside a valid one: the URL goes up as it is, and stands in logs."""
    for allow_anonymous in (True, False):
        lab = Lab(allow_anonymous=allow_anonymous)
        for headers in ({"authorization": DEV}, {}):
            request = asking(headers, path=f"/openai/v1/{token}".encode() if path else b"/openai/v1/models")
            request.query = b"" if path else f"key={token}".encode()
            with pytest.raises(BadRequest if headers else UnknownCaller) as caught:
                lab.check(request)
            assert token not in str(caught.value)


@given(st.text(max_size=60), st.binary(max_size=60))
def test_a_guess_is_never_valid(text: str, value: bytes) -> None:
    """Neither a hash itself nor anything else but the token."""
    hashes = [token for caller in KNOWN.callers for token in caller.token_sha256]
    for guess in (text.encode(), value, *(each.encode() for each in hashes), *map(bytes.fromhex, hashes)):
        request = Request("GET", b"/x", b"", [(b"x-api-key", guess)], "203.0.113.7", None, AsgiBody())
        with pytest.raises((UnknownCaller, BadRequest)):
            Lab().check(request)


@pytest.mark.parametrize("values", [[""], [" "], [DEV, DEV]])
def test_an_empty_or_repeated_token_is_a_bad_request(values: list[str]) -> None:
    """Which of two the caller means would be a guess."""
    headers = [(b"x-aibridge-token", value.encode()) for value in values]
    with pytest.raises(BadRequest, match="X-AIBridge-Token"):
        Lab().check(Request("GET", b"/x", b"", headers, None, None, AsgiBody()))


def test_a_token_in_the_query_is_a_bad_request() -> None:
    """It would go up with the path, beside whatever else names the caller."""
    request = asking(authorization=DEV)
    request.query = f"api-version=1&api-key={REVOKED}".encode()
    with pytest.raises(BadRequest, match="send it in a header") as raised:
        Lab().check(request)
    assert REVOKED not in raised.value.message


# --- Certificates


def test_a_certificate_names_a_caller_and_leaves_its_own_key_alone() -> None:
    """What is in the headers for keys is then the caller's own."""
    request = asking(certificate=("someone", "laptop.example"), authorization=OWN)
    caller = Lab().check(request)
    assert caller
    assert (caller.name, caller.authenticated) == ("laptop", True)
    assert Lab().name(asking(certificate=("laptop.example",))) == "laptop"


def test_a_token_is_more_particular_than_a_certificate() -> None:
    """A machine has a certificate; a token says on whose behalf it calls."""
    assert Lab().name(asking(certificate=("laptop.example",), authorization=DEV)) == "dev-07"
    assert Lab().name(asking(certificate=("laptop.example",), x_aibridge_token=REVOKED)) is None
    assert Lab().name(asking(certificate=("laptop.example",), authorization=REVOKED)) is None


def test_a_certificate_of_an_unknown_caller_is_as_none() -> None:
    """It was signed by a trusted authority, and still names none."""
    assert Lab().name(asking(certificate=("stranger.example",))) is None
    assert Lab().name(asking(certificate=("stranger.example",), authorization=DEV)) == "dev-07"


# --- Expired


def test_a_token_is_valid_through_its_last_day_utc() -> None:
    """The second after it, it is not; the message names the day: its holder has proved to be that caller."""
    lab = Lab()
    lab.today = BEFORE
    assert lab.name(asking(authorization=EXPIRED)) == "gone"
    lab.today = AFTER
    with pytest.raises(UnknownCaller, match="gone was known here through 2020-02-29, UTC"):
        lab.check(asking(authorization=EXPIRED))


def test_a_valid_token_beside_an_expired_one_is_enough() -> None:
    """The expired one goes nowhere."""
    request = asking(authorization=EXPIRED, x_api_key=DEV)
    assert Lab().name(request) == "dev-07"
    assert request.headers == []


# --- Rejects


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "send your token where the API key goes, or in X-AIBridge-Token"),
        ({"authorization": OWN}, "was revoked, or is not this bridge's"),
        ({"authorization": REVOKED}, "was revoked, or is not this bridge's"),
        ({"x_api_key": REVOKED[:-1]}, "incomplete or mistyped"),
        ({"x_aibridge_token": OWN}, "was revoked, or is not this bridge's"),
    ],
)
def test_the_message_says_what_is_wrong_and_shows_no_token(headers: dict[str, str], words: str) -> None:
    """It names the remedy; it never repeats what was sent."""
    with pytest.raises(UnknownCaller, match=words) as raised:
        Lab().check(asking(headers))
    assert not any(value[:12] in raised.value.message for value in headers.values())


def test_a_rejected_request_is_logged_by_its_address() -> None:
    """The end of a wrong token is no hint: it may be all that is wrong with it."""
    request = asking(authorization=REVOKED)
    found = record(request)
    with pytest.raises(UnknownCaller):
        Lab().authenticator.check(request, found)
    assert found.caller
    assert found.caller.hint == "203.0.113.7"


def test_only_failures_are_limited_by_address() -> None:
    """Ten at once, then one a second; a valid token passes all the while, from that address too."""
    lab = Lab()
    for _ in range(10):
        with pytest.raises(UnknownCaller) as raised:
            lab.check(asking(authorization=new_token()))
        assert raised.value.status == 401
    for _ in range(100):
        with pytest.raises(UnknownCallerLimited) as limited:
            lab.check(asking())
        assert limited.value.wait == 1.0
        assert lab.name(asking(authorization=DEV)) == "dev-07"
    with pytest.raises(UnknownCaller) as raised:
        lab.check(asking(client="203.0.113.8"))
    assert raised.value.status == 401
    lab.now = 1.0
    with pytest.raises(UnknownCaller) as raised:
        lab.check(asking())
    assert raised.value.status == 401


def test_ipv6_addresses_fail_by_the_64() -> None:
    """One site has 2⁶⁴ addresses."""
    lab = Lab()
    statuses = []
    for host in range(11):
        with pytest.raises(UnknownCaller) as raised:
            lab.check(asking(client=f"2001:db8::{host + 1:x}"))
        statuses.append(raised.value.status)
    assert statuses == [401] * 10 + [429]


def test_the_table_of_failures_is_bounded() -> None:
    """A million addresses take no more memory than ten thousand."""
    lab = Lab()
    for host in range(12_000):
        with pytest.raises(UnknownCaller):
            lab.check(asking(client=f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}"))
    assert len(lab.authenticator._failures) == 10_000


def test_pings_need_no_caller_and_count_no_failure() -> None:
    """Clients and balancers ask before they have a token."""
    lab = Lab()
    for token in (None, REVOKED, EXPIRED) * 10:
        caller = lab.check(asking({"authorization": token} if token else {}, path=b"/"))
        assert caller
        assert (caller.hint, caller.name) == ("203.0.113.7", "")
    assert lab.name(asking(path=b"/", authorization=DEV)) == "dev-07"
    assert len(lab.authenticator._failures) == 0


# --- Anonymous callers


def test_without_callers_nothing_changes_but_the_bridges_own_header() -> None:
    """X-AIBridge-Token never goes up, in any mode."""
    request = asking(authorization=DEV, x_aibridge_token=DEV)
    assert Lab(KnownCallers()).check(request) is None
    assert [name for name, _ in request.headers] == [b"authorization"]


def test_anonymous_callers_are_as_without_known_callers() -> None:
    """A key that is no token is the caller's own."""
    lab = Lab(allow_anonymous=True)
    for headers in ({}, {"authorization": OWN}, {"x_api_key": OWN}):
        request = asking(headers)
        before = list(request.headers)
        assert lab.check(request) is None
        assert request.headers == before
    assert lab.name(asking(authorization=DEV)) == "dev-07"


@pytest.mark.parametrize("header", ["authorization", "x_api_key", "api_key", "x_aibridge_token"])
@pytest.mark.parametrize("token", [REVOKED, EXPIRED])
def test_where_anonymous_callers_are_allowed_an_invalid_token_is_still_rejected(header: str, token: str) -> None:
    """It would otherwise go up as if it were a key, and its caller would be taken for another."""
    assert Lab(allow_anonymous=True).name(asking({header: token})) is None


def test_x_aibridge_token_is_always_a_token() -> None:
    """Whatever it looks like."""
    assert Lab(allow_anonymous=True).name(asking(x_aibridge_token=OWN)) is None


# --- Keys and changes


def test_a_callers_key_is_its_names() -> None:
    """Limits go by caller: several tokens, or invented own keys, buy nothing."""
    lab = Lab()
    variants = (
        asking(authorization=DEV),
        asking(x_api_key=FREE),
        asking(x_aibridge_token=DEV, authorization=OWN),
        asking(x_aibridge_token=FREE, x_api_key=OWN + "2"),
    )
    callers = [lab.check(request) for request in variants]
    assert len({caller.key for caller in callers if caller}) == 1
    assert lab.check(asking(authorization=OTHER)) != callers[0]


def test_another_list_counts_for_the_next_request() -> None:
    """Keys of callers that stay are the same: their counters and slots go on."""
    lab = Lab()
    before = lab.check(asking(authorization=DEV))
    fewer = replace(lab.settings, known_callers=KnownCallers(callers=KNOWN.callers[:1]))
    lab.authenticator.apply(fewer, lab.authenticator.table(fewer))
    assert lab.check(asking(authorization=DEV)) == before
    assert lab.name(asking(authorization=OTHER)) is None
