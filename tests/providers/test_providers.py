from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest, MethodNotAllowed, NotFound, Reject
from aibridge_trio.gateway.central_key import central_key
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.routing import Backend, Ping, Router, Target
from aibridge_trio.http.message import Request
from aibridge_trio.providers import Provider, check_target, dialects, first_segment
from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.server.asgi import AsgiBody
from aibridge_trio.upstream.client import Timeouts, Upstream

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ANY = "|".join(METHODS)
KNOWN = Caller(b"key", "…wxyz", authenticated=True)
ANONYMOUS = Caller(b"address", "203.0.113.7", authenticated=False)

# The contract's table once more, as patterns of "METHOD path": (pattern, backend, intercepted, own key only).
TABLE = [
    (r"POST /openai/v1/(chat/completions|responses|completions|responses/compact)", "openai", True, False),
    (r"(GET|HEAD) /openai/v1/models(/.+)?", "openai", False, False),
    (r"POST /openai/v1/(embeddings|moderations|responses/input_tokens)", "openai", False, False),
    (r"POST /openai/v1/images/(generations|edits|variations)", "openai", False, False),
    (r"POST /openai/v1/audio/(speech|transcriptions|translations)", "openai", False, False),
    (rf"({ANY}) /openai/v1/(conversations|files|batches|uploads|vector_stores)(/.+)?", "openai", False, True),
    (r"(GET|HEAD) /openai/v1/chat/completions", "openai", False, True),
    (rf"({ANY}) /openai/v1/(chat/completions|responses|images|audio)/.+", "openai", False, True),
    (r"POST /anthropic/v1/messages", "anthropic", True, False),
    (r"POST /anthropic/v1/messages/count_tokens", "anthropic", False, False),
    (r"POST /anthropic/api/event_logging/.+", "anthropic", False, False),
    (r"(GET|HEAD) /anthropic/v1/models(/.+)?", "anthropic", False, False),
    (rf"({ANY}) /anthropic/v1/(messages/batches|files|skills)(/.+)?", "anthropic", False, True),
    (r"POST /copilot/(chat/completions|responses|v1/messages)", "copilot", True, False),
    (r"POST /copilot/embeddings", "copilot", False, False),
    (rf"({ANY}) /copilot/models(/.+)?", "copilot", False, False),
    (rf"({ANY}) /copilot/(agents|mcp|\.well-known)/.+", "copilot", False, False),
]
PROBES = r"(GET|HEAD) (/|/openai/v1/?|/anthropic/?|/anthropic/api/hello|/copilot/?)"


def request(method: str, path: bytes, *headers: tuple[bytes, bytes]) -> Request:
    return Request(method, path, b"", list(headers), "203.0.113.7", None, AsgiBody())


def router_of(key: str | None = None, *, forward: bool = False) -> Router:
    """Return the three backends, with a central key (Copilot has none) or without."""

    def backend(provider: Provider) -> Backend:
        transport = httpx.MockTransport(lambda _: httpx.Response(200))
        return Backend(
            provider=provider,
            upstream=Upstream("https://upstream.test", transport, Timeouts()),
            circuits=ProviderCircuits(provider, CircuitRules(), lambda: 0.0, lambda _: None, lambda: 0.0),
            key=central_key(provider, Secret(key) if key else None, {}, lambda _: None),
            forward_caller_keys=forward,
        )

    return Router([backend(provider) for provider in (OPENAI, ANTHROPIC, COPILOT)])


ROUTER = router_of()


def match(method: str, path: str, caller: Caller = KNOWN) -> Target | Ping:
    return ROUTER.match(request(method, path.encode("latin-1")), caller)


# --- The allow-list

ALLOWED = [
    ("openai", "/openai/v1", method, path, intercepted)
    for methods, path, intercepted in [
        (["POST"], "/chat/completions", True),
        (["POST"], "/responses", True),
        (["POST"], "/completions", True),
        (["POST"], "/responses/compact", True),
        (["POST"], "/responses/input_tokens", False),
        (["POST"], "/moderations", False),
        (["POST"], "/images/generations", False),
        (["POST"], "/images/edits", False),
        (["POST"], "/audio/speech", False),
        (["POST"], "/audio/transcriptions", False),
        (["GET", "HEAD"], "/models", False),
        (["GET", "HEAD"], "/models/gpt-5", False),
        (["GET", "HEAD"], "/models/meta-llama%2FLlama-3", False),
        (["GET", "HEAD"], "/chat/completions", False),
        (METHODS, "/chat/completions/chatcmpl_1/messages", False),
        (METHODS, "/files", False),
        (METHODS, "/files/file_1/content", False),
        (METHODS, "/batches", False),
        (METHODS, "/batches/batch_1/cancel", False),
        (METHODS, "/uploads/upload_1/parts", False),
        (METHODS, "/vector_stores/vs_1/files", False),
        (["GET", "HEAD"], "/models/ft:gpt/x/y", False),
        (["POST"], "/embeddings", False),
        (METHODS, "/conversations", False),
        (METHODS, "/conversations/conv_1/items", False),
        (METHODS, "/responses/resp_1", False),
        (METHODS, "/responses/resp_1/cancel", False),
    ]
    for method in methods
]
ALLOWED += [
    ("anthropic", "/anthropic", method, path, intercepted)
    for methods, path, intercepted in [
        (["POST"], "/v1/messages", True),
        (["POST"], "/v1/messages/count_tokens", False),
        (METHODS, "/v1/messages/batches", False),
        (METHODS, "/v1/messages/batches/b_1/results", False),
        (METHODS, "/v1/files/file_1", False),
        (METHODS, "/v1/skills", False),
        (["GET", "HEAD"], "/v1/models", False),
        (["GET", "HEAD"], "/v1/models/claude-x", False),
        (["POST"], "/api/event_logging/batch", False),
        (["POST"], "/api/event_logging/v2/batch", False),
    ]
    for method in methods
]
ALLOWED += [
    ("copilot", "/copilot", method, path, intercepted)
    for methods, path, intercepted in [
        (["POST"], "/chat/completions", True),
        (["POST"], "/responses", True),
        (["POST"], "/v1/messages", True),
        (["POST"], "/embeddings", False),
        (METHODS, "/models", False),
        (METHODS, "/models/session", False),
        (METHODS, "/agents/swe/v1/jobs", False),
        (METHODS, "/mcp/readonly", False),
        (METHODS, "/.well-known/openid-configuration", False),
    ]
    for method in methods
]


@pytest.mark.parametrize(("backend", "prefix", "method", "rest", "intercepted"), ALLOWED)
def test_what_is_allowed(backend: str, prefix: str, method: str, rest: str, intercepted: bool) -> None:
    """Every row of the allow-list leads to its backend, with the path after the prefix as it came."""
    target = match(method, prefix + rest)
    assert isinstance(target, Target)
    assert target.backend.name == backend
    assert target.rest == rest.encode()
    assert target.route.intercepted == intercepted


NOT_ALLOWED = [
    ("DELETE", "/openai/v1/chat/completions"),
    ("POST", "/openai/v1/chat/completions/"),
    ("POST", "/openai/v1/chat/completionsx"),
    ("POST", "/openai/v1/chat"),
    ("GET", "/openai/v1/responses"),
    ("DELETE", "/openai/v1/responses"),
    ("POST", "/openai/v1/models"),
    ("DELETE", "/openai/v1/models/ft:gpt"),
    ("GET", "/openai/v1/models/"),
    ("GET", "/openai/v1/modelsx"),
    ("GET", "/openai/v1/filesx"),
    ("POST", "/openai/v1/files/"),
    ("GET", "/openai/v1/organization/admin_api_keys"),
    ("GET", "/openai/v1/completions"),
    ("GET", "/openai/v1/moderations"),
    ("GET", "/openai/v1/images"),
    ("POST", "/openai/v1/evals"),
    ("POST", "/openai/v1/fine_tuning/jobs"),
    ("POST", "/openai/v1/assistants"),
    ("GET", "/openai/v1/embeddings"),
    ("GET", "/openai/v1/conversations/"),
    ("POST", "/openai/v1/responses/"),
    ("POST", "/openai/v1"),
    ("GET", "/openai"),
    ("GET", "/openai/"),
    ("POST", "/openai/chat/completions"),
    ("POST", "/openai/v1x/chat/completions"),
    ("POST", "/OpenAI/v1/chat/completions"),
    ("GET", "/anthropic/v1/messages"),
    ("GET", "/anthropic/v1/messages/count_tokens"),
    ("POST", "/anthropic/api/hello"),
    ("POST", "/anthropic/v1/messages/other"),
    ("GET", "/anthropic/v1/files/"),
    ("GET", "/anthropic/v1/organizations/api_keys"),
    ("POST", "/anthropic/v1/complete"),
    ("POST", "/anthropic/api/event_logging/"),
    ("GET", "/anthropic/api/event_logging/batch"),
    ("POST", "/anthropic/v1/models"),
    ("POST", "/copilot"),
    ("GET", "/copilot/chat/completions"),
    ("GET", "/copilot/embeddings"),
    ("POST", "/copilot/v1/messages/count_tokens"),
    ("GET", "/copilot/agents"),
    ("GET", "/copilot/agents/"),
    ("GET", "/copilot/mcp"),
    ("POST", "/"),
    ("OPTIONS", "*"),
    ("GET", "/favicon.ico"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("POST", "/v1/chat/completions"),
    ("post", "/openai/v1/chat/completions"),
    ("GET", ""),
]


@pytest.mark.parametrize(("method", "path"), NOT_ALLOWED)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    """What the allow-list does not name is not found, and the reject names method and path."""
    with pytest.raises(NotFound) as caught:
        match(method, path)
    assert str(caught.value).partition(";")[0] == f"route not supported: {method} {path}"


segments = st.sampled_from(
    [
        "openai",
        "v1",
        "anthropic",
        "copilot",
        "chat",
        "completions",
        "responses",
        "models",
        "messages",
        "count_tokens",
        "embeddings",
        "conversations",
        "api",
        "event_logging",
        "agents",
        "mcp",
        ".well-known",
        "files",
        "organization",
        "x",
        "ft:x",
    ]
)
paths = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end, st.lists(segments, max_size=5), st.sampled_from(["", "/"])
)


@given(st.sampled_from(METHODS), paths.filter(lambda path: "//" not in path))
@example("GET", "/openai/v1/")
@example("POST", "/openai/v1/responses/x")
def test_the_allow_list_is_the_contract_s_table(method: str, path: str) -> None:
    """Whatever the method and path, what is found is what the table of the contract names, and no more."""
    line = f"{method} {path}"
    expected = [row for row in TABLE if re.fullmatch(row[0], line)][:1]
    try:
        target = match(method, path)
    except NotFound:
        assert not expected
        assert not re.fullmatch(PROBES, line)
        return
    if isinstance(target, Ping):
        assert re.fullmatch(PROBES, line)
        return
    found = (target.backend.name, target.route.intercepted, target.route.own_key)
    assert [found] == [row[1:] for row in expected]


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
    """`/` and the bare prefixes lead nowhere: the bridge answers them itself."""
    assert match(method, path) == Ping(backend)


def test_every_intercepted_route_is_a_post() -> None:
    """Only POSTs are read in passing, and no stored data stands behind an intercepted route."""
    for provider in (OPENAI, ANTHROPIC, COPILOT):
        for route in provider.routes:
            if route.intercepted:  # the stored ones come behind
                assert route.methods == frozenset({"POST"})
                assert not route.own_key


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
    """A path that another reader may resolve into a different one is refused, wherever it leads."""
    with pytest.raises(BadRequest):
        match(method, path)


@pytest.mark.parametrize(
    "path",
    ["/openai/v1/models/a..b", "/openai/v1/models/.hidden", "/openai/v1/models/x.", "/copilot/.well-known/x"],
)
def test_dots_inside_segments_are_no_trick(path: str) -> None:
    """Only whole segments of dots move in a tree."""
    assert isinstance(match("GET", path), Target)


tricks = st.sampled_from(
    ["/../", "/./", "/..", "/.", "%2e", "%2E", "%252f", "%2F/", "//", "\\", "%5c", ";", "%00"]
)
allowed = st.sampled_from([prefix + rest for _, prefix, _, rest, _ in ALLOWED] + ["/", "/copilot", "/x"])


@given(st.sampled_from(METHODS), allowed, allowed, tricks, st.integers(0, 60))
def test_no_path_with_a_trick_yields_a_route(method: str, path: str, tail: str, trick: str, at: int) -> None:
    """Wherever in whatever path a trick stands, no provider sees it."""
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
    assert b"/openai/v1" + target.rest == path


# --- Methods


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


# --- Own keys

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
    """Rows with an account's stored data exist for a caller's own key only, never with the central one."""
    asked = request(method, path.encode())
    if found:
        assert isinstance(configured.match(asked, caller), Target)
    else:
        with pytest.raises(NotFound):
            configured.match(asked, caller)


def test_a_central_key_leaves_all_other_rows() -> None:
    """With a central key everything but stored data is served."""
    lent = router_of("central")
    for _, prefix, method, rest, _ in ALLOWED:
        own = any(re.fullmatch(row[0], f"{method} {prefix}{rest}") for row in TABLE if row[3])
        if not own or (method == "POST" and rest in ("/responses/compact", "/responses/input_tokens")):
            assert isinstance(lent.match(request(method, (prefix + rest).encode()), ANONYMOUS), Target)


def test_central_credentials() -> None:
    """A central key goes where the provider looks for it; Copilot takes none."""
    assert OPENAI.credential is not None
    assert ANTHROPIC.credential is not None
    assert OPENAI.credential("k") == (b"authorization", b"Bearer k")
    assert ANTHROPIC.credential("k") == (b"x-api-key", b"k")
    assert COPILOT.credential is None


# --- Dialects


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (b"/openai/v1/nothing", dialects.openai),
        (b"/openai", dialects.openai),
        (b"/copilot/nothing", dialects.openai),
        (b"/copilot/v1/messages", dialects.anthropic),
        (b"/copilot/chat/completions", dialects.openai),
        (b"/openai/v1/messages", dialects.openai),
        (b"/anthropic", dialects.anthropic),
        (b"/anthropic/nothing", dialects.anthropic),
        (b"/anthropic/../x", dialects.anthropic),
        (b"/anthropicx/v1", dialects.openai),
        (b"/Anthropic/v1", dialects.openai),
        (b"/v1/messages", dialects.openai),
        (b"/\xff/v1", dialects.openai),
        (b"//anthropic", dialects.openai),
        (b"/", dialects.openai),
        (b"", dialects.openai),
        (b"*", dialects.openai),
    ],
)
def test_the_first_segment_chooses_the_dialect(path: bytes, dialect: object) -> None:
    """A reject speaks the dialect of the first segment, found or not; of an unknown one OpenAI's."""
    assert ROUTER.dialect(request("GET", path)) is dialect


def test_unknown_segments_speak_openai_s_dialect_even_without_openai() -> None:
    """The dialect of an unknown segment does not depend on which backends there are."""
    alone = Router([backend for backend in ROUTER if backend.name == "anthropic"])
    assert alone.dialect(request("GET", b"/nowhere")) is dialects.openai
    assert alone.dialect(request("GET", b"/anthropic")) is dialects.anthropic


@given(st.binary(max_size=20))
def test_every_path_has_a_first_segment(path: bytes) -> None:
    """Any bytes have a first segment, without a slash."""
    assert "/" not in first_segment(path)
