from __future__ import annotations

import pytest

from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest, BodyTooLarge, NotFound
from aibridge_trio.gateway.keyed_request import OWN_KEY, KeyedRequest
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Target
from aibridge_trio.providers import ALL
from aibridge_trio.providers.dialects import anthropic, openai
from tests.support.allow_lists import ANONYMOUS, KNOWN, METHODS, ROUTER, request, router_of

MAX_BODY = 1000
RECORD: Record = None  # type: ignore[assignment]  # nothing is recorded before a request is sent


def target(method: str, path: bytes, key: str | None = None) -> Target:
    """Return the target of a request."""
    found = router_of(key).match(request(method, path), KNOWN)
    assert isinstance(found, Target)
    return found


OWN = [
    *("/openai/v1/conversations", "/openai/v1/conversations/c", "/openai/v1/responses/r", "/openai/v1/files"),
    *("/openai/v1/batches/b", "/openai/v1/uploads", "/openai/v1/vector_stores/v", "/openai/v1/chat/completions/c"),
    *(
        "/openai/v1/audio/voices",
        "/anthropic/v1/messages/batches",
        "/anthropic/v1/files/f",
        "/anthropic/v1/skills",
    ),
]


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("configured", "caller", "found"),
    [
        (router_of(), KNOWN, True),
        (router_of(), ANONYMOUS, True),
        (router_of("central"), KNOWN, False),
        (router_of("central"), ANONYMOUS, False),
        (router_of("central", forward=True), KNOWN, True),
        (router_of("central", forward=True), ANONYMOUS, False),
    ],
)
def test_stored_data_is_never_shown_with_the_central_key(
    path: str, method: str, configured: Router, caller: Caller, found: bool
) -> None:
    """Routes to stored data are found with a caller's own key only, never with the central one."""
    asked = request(method, path.encode())
    if found:
        assert isinstance(configured.match(asked, caller), Target)
    else:
        with pytest.raises(NotFound):
            configured.match(asked, caller)


def test_a_central_key_leaves_all_other_rows() -> None:
    """With a central key everything but stored data is served."""
    configured = router_of("central")
    shared = [(provider, route) for provider in ALL for route in provider.routes if not route.own_key]
    assert len(shared) > len(ALL)
    for provider, route in shared:
        path = provider.prefix + route.pattern.replace("*", "x")
        for method in route.methods or METHODS:
            assert isinstance(configured.match(request(method, path.encode()), ANONYMOUS), Target), path


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (b"/openai/v1/nothing", openai),
        (b"/openai", openai),
        (b"/copilot/nothing", openai),
        (b"/copilot/v1/messages", anthropic),
        (b"/copilot/chat/completions", openai),
        (b"/openai/v1/messages", openai),
        (b"/anthropic", anthropic),
        (b"/anthropic/nothing", anthropic),
        (b"/anthropic/../x", anthropic),
        (b"/anthropicx/v1", openai),
        (b"/Anthropic/v1", openai),
        (b"/v1/messages", openai),
        (b"/\xff/v1", openai),
        (b"//anthropic", openai),
        (b"/", openai),
        (b"", openai),
        (b"*", openai),
    ],
)
def test_the_first_segment_chooses_the_dialect(path: bytes, dialect: object) -> None:
    """A reject has the dialect of the path's first segment; OpenAI's if that is no provider's name."""
    assert ROUTER.dialect(request("GET", path)) is dialect


def test_unknown_segments_speak_openai_s_dialect_even_without_openai() -> None:
    """The dialect for an unknown segment does not depend on the configured backends."""
    alone = Router([backend for backend in ROUTER if backend.name == "anthropic"])
    assert alone.dialect(request("GET", b"/nowhere")) is openai
    assert alone.dialect(request("GET", b"/anthropic")) is anthropic


def test_a_reload_may_change_a_paths_dialect() -> None:
    """What is remembered of a path holds for these backends only; and not for all paths, of any length."""
    router = Router([backend for backend in ROUTER if backend.name == "anthropic"])
    for _ in range(2):
        assert router.dialect(request("GET", b"/copilot/v1/messages")) is openai
    router.apply(list(ROUTER), ())
    for _ in range(2):
        assert router.dialect(request("GET", b"/copilot/v1/messages")) is anthropic
    for n in range(1000):
        assert router.dialect(request("GET", b"/anthropic/%d" % n)) is anthropic
        assert router.dialect(request("GET", b"/openai/%d" % n + b"x" * 300)) is openai
    assert len(router._dialects) <= 256


@pytest.mark.parametrize(
    ("headers", "reject"),
    [
        ([(b"content-length", b"1000")], None),
        ([(b"content-length", b"1001")], BodyTooLarge),
        ([(b"content-length", b"1x")], BadRequest),
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], BadRequest),
        ([(b"transfer-encoding", b"chunked")], None),
    ],
)
def test_framing_is_checked_before_the_body_is_read(
    headers: list[tuple[bytes, bytes]], reject: type[Exception] | None
) -> None:
    """A length that is malformed, above the limit, or beside chunked coding is rejected, early and late."""
    found = target("POST", b"/openai/v1/responses")
    asked = request("POST", b"/openai/v1/responses", *headers)
    if reject is None:
        found.precheck(asked, KNOWN, MAX_BODY)
        found.outgoing(asked, KNOWN, b"req_1", MAX_BODY)
        return
    with pytest.raises(reject):
        found.precheck(asked, KNOWN, MAX_BODY)
    with pytest.raises(reject):
        found.outgoing(asked, KNOWN, b"req_1", MAX_BODY)


@pytest.mark.parametrize(
    ("path", "encoding"), [(b"/openai/v1/responses", b"identity"), (b"/openai/v1/models", b"br")]
)
def test_answers_that_are_inspected_come_unencoded(path: bytes, encoding: bytes) -> None:
    """An intercepted request asks for an answer without content coding; others keep their Accept-Encoding."""
    method = "POST" if path.endswith(b"responses") else "GET"
    outgoing = target(method, path).outgoing(
        request(method, path, (b"accept-encoding", b"br")), KNOWN, b"req_1", MAX_BODY
    )
    assert [value for name, value in outgoing.headers if name == b"accept-encoding"] == [encoding]


def test_a_request_carries_the_bridges_id_and_mark() -> None:
    """The request id is the bridge's, and its mark against loops is added to those of others."""
    asked = request("POST", b"/openai/v1/responses", (b"x-request-id", b"mine"), (b"x-aibridge-hops", b"other"))
    sent = dict(target("POST", b"/openai/v1/responses").outgoing(asked, KNOWN, b"req_1", MAX_BODY).headers)
    assert sent[b"x-request-id"] == b"req_1"
    assert sent[b"x-aibridge-hops"].startswith(b"other, ")


def test_the_central_key_replaces_the_callers() -> None:
    """With a central key the caller's credential is not sent on."""
    asked = request("POST", b"/openai/v1/responses", (b"authorization", b"Bearer mine"))
    found = target("POST", b"/openai/v1/responses", "central")
    sent = found.outgoing(asked, KNOWN, b"req_1", MAX_BODY).headers
    assert [value for name, value in sent if name == b"authorization"] == []
    assert isinstance(found.backend.keyed(KNOWN, RECORD), KeyedRequest)
    assert target("POST", b"/openai/v1/responses").backend.keyed(KNOWN, RECORD) is OWN_KEY
    forwarding = router_of("central", forward=True).get("openai")
    assert forwarding
    assert forwarding.keyed(KNOWN, RECORD) is OWN_KEY
    assert isinstance(forwarding.keyed(ANONYMOUS, RECORD), KeyedRequest)
