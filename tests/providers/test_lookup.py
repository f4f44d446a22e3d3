from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.errors import BadRequest, MethodNotAllowed, NotFound, Reject
from aibridge_trio.gateway.routing import Ping, Target
from aibridge_trio.providers import ALL
from aibridge_trio.providers.lookup import check_target, first_segment
from tests.support.allow_lists import KNOWN, METHODS, ROUTER, match, request

NOWHERE = [
    ("POST", "/"),
    ("OPTIONS", "*"),
    ("GET", "/favicon.ico"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("POST", "/v1/chat/completions"),
    ("GET", ""),
]


@pytest.mark.parametrize(("method", "path"), NOWHERE)
def test_a_path_of_no_provider_is_not_found(method: str, path: str) -> None:
    """A request outside the providers' prefixes is not found, and the reject names method and path."""
    with pytest.raises(NotFound) as caught:
        match(method, path)
    assert str(caught.value).partition(";")[0] == f"route not supported: {method} {path}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "backend"),
    [
        ("/", "none"),
        ("/openai/v1", "openai"),
        ("/openai/v1/", "openai"),
        ("/anthropic", "anthropic"),
        ("/anthropic/", "anthropic"),
        ("/anthropic/api/hello", "anthropic"),
        ("/copilot", "copilot"),
        ("/copilot/", "copilot"),
    ],
)
def test_bare_prefixes_are_probed(method: str, path: str, backend: str) -> None:
    """The bridge itself answers `/`, the bare prefixes and the paths that clients probe."""
    assert match(method, path) == Ping(backend)


# --- Tricks

TRICKS = [
    "/openai/v1/../admin",
    "/openai/v1/models/../files",
    "/openai/v1/models/..",
    "/openai/v1/models/.",
    "/openai/v1/./models",
    "/../openai/v1/models",
    "/..",
    "/.",
    "/openai/v1/models/%2e%2e/files",
    "/openai/v1/models/%2E%2E/files",
    "/openai/v1/models/.%2e/files",
    "/openai/v1/models/x%2eb",
    "/openai/v1/models%2ffiles",
    "/openai/v1/responses/x%2Fy",
    "/openai/v1/models/x%2F..%2Fy",
    "/anthropic/v1/messages%2Fbatches",
    "//openai/v1/models",
    "//evil.example/openai/v1/models",
    "/openai//v1/models",
    "/openai/v1/models//",
    "/openai/v1/models\\..\\files",
    "/openai/v1/models/\\",
    "/openai/v1/models/%5cx",
    "/openai/v1/models/%5Cx",
    "http://evil.example/openai/v1/models",
    "https://api.openai.com/v1/models",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_tricked_paths_are_bad_requests(method: str, path: str) -> None:
    """A path that another parser may resolve to a different one is rejected."""
    with pytest.raises(BadRequest):
        match(method, path)


@pytest.mark.parametrize(
    "path",
    ["/openai/v1/models/a..b", "/openai/v1/models/.hidden", "/openai/v1/models/x.", "/copilot/.well-known/x"],
)
def test_dots_inside_segments_are_no_trick(path: str) -> None:
    """Only segments that are `.` or `..` are dot segments."""
    assert isinstance(match("GET", path), Target)


tricks = st.sampled_from(
    ["/../", "/./", "/..", "/.", "%2e", "%2E", "%252f", "%2F/", "//", "\\", "%5c", ";", "%00"]
)
allowed = st.sampled_from(
    [provider.prefix + route.pattern.replace("*", "x") for provider in ALL for route in provider.routes]
    + ["/", "/copilot", "/x"]
)


@given(st.sampled_from(METHODS), allowed, allowed, tricks, st.integers(0, 60))
def test_no_path_with_a_trick_yields_a_route(method: str, path: str, tail: str, trick: str, at: int) -> None:
    """A trick anywhere in any path is refused, and no provider gets it."""
    whole = path + tail
    at %= len(whole) + 1
    if trick in {"/..", "/."}:  # these are segments only at the end
        whole, at = whole.rstrip("/"), len(whole.rstrip("/"))
    with pytest.raises(BadRequest):
        match(method, whole[:at] + trick + whole[at:])


@given(st.sampled_from(METHODS), st.binary(max_size=40).map(lambda path: b"/openai/v1/models/" + path))
@example("GET", b"/openai/v1/models/\xff")
def test_no_path_makes_it_raise_anything_but_a_reject(method: str, path: bytes) -> None:
    """Any bytes lead to a route, with the same bytes, or to a reject."""
    try:
        target = ROUTER.match(request(method, path), KNOWN)
    except Reject:
        return
    assert isinstance(target, Target)
    assert b"/openai/v1" + target.path == path


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize(
    "path", ["/", "/openai/v1/models", "/copilot/models", "/copilot/mcp/x", "api.openai.com:443", "//"]
)
def test_connect_and_trace_are_refused_everywhere(method: str, path: str) -> None:
    """CONNECT and TRACE are 405 on every path, on rows for any method too."""
    with pytest.raises(MethodNotAllowed, match=method):
        match(method, path)


def test_check_target_passes_the_ordinary() -> None:
    """An ordinary target is not refused, whatever its path leads to."""
    check_target("GET", b"/nowhere/at/all")


@given(st.binary(max_size=20))
def test_every_path_has_a_first_segment(path: bytes) -> None:
    """Any bytes have a first segment, without a slash."""
    assert "/" not in first_segment(path)
