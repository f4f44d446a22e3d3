"""What goes up beside a central key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.gateway.central_key import CentralKey, central_key
from aibridge_trio.http.message import Reply, Request
from tests.support.keys import keys_of
from tests.support.network import Network

KEY = "sk-central-0123456789"
# As recorded: the official SDKs, Codex 0.171, Claude Code 2.1.197, opencode 1.18.33.
GOES = [
    *("accept", "accept-encoding", "accept-language", "content-type", "content-encoding", "user-agent"),
    *("idempotency-key", "openai-beta", "anthropic-version", "anthropic-beta", "x-client-request-id"),
    *("anthropic-dangerous-direct-browser-access", "x-stainless-retry-count", "x-stainless-helper-method"),
    *("request-id", "traceparent", "tracestate", "x-app", "x-claude-code-session-id", "originator", "version"),
    *("session-id", "thread-id", "x-codex-turn-metadata", "x-codex-window-id", "x-session-affinity"),
]
STAYS = [
    *("openai-organization", "openai-project", "chatgpt-account-id", "api-key", "cookie", "x-goog-api-key"),
    *(
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "forwarded",
    ),
    *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "origin", "referer"),
    *("session_id", "conversation_id", "content_type", "x-stainless-a_b", "accept_encoding", "anthropic-a_b"),
    *(
        "sec-fetch-site",
        "sec-websocket-key",
        "x-anything",
        "authorization",
        "x-api-key",
        "acceptx",
        "x-openai-beta",
    ),
]


def key(warnings: list[str] | None = None) -> CentralKey:
    added = {"openai_project": "proj_1", "openai_organization": None}
    return central_key(keys_of(KEY), added, ([] if warnings is None else warnings).append)


@pytest.mark.parametrize("name", GOES)
def test_what_goes_up(name: str) -> None:
    """Headers of the list go up byte for byte, repeated and in order."""
    headers = [(name.encode(), b" \xffa "), (name.encode(), b"b")]
    assert key().headers(headers)[:2] == headers


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_behind(name: str) -> None:
    """Unknown headers, and those that influence the provider or a proxy before it, are dropped."""
    assert key().headers([(name.encode(), b"x")]) == [(b"openai-project", b"proj_1")]


def test_each_name_is_reported_once_and_few_are_remembered() -> None:
    """Callers choose the names: memory does not grow with them, and no warning names a credential header."""
    warnings: list[str] = []
    central = central_key(keys_of(KEY), {}, warnings.append)
    for _ in range(3):
        central.headers([(b"cookie", b"secret"), (b"authorization", b"x"), (b"accept", b"x")])
    assert warnings == ['header "cookie" is not sent beside the central key']
    for number in range(10_000):
        assert central.headers([(b"x-%d" % number, b""), (b"x" * 5000, b"")]) == []
    assert len(warnings) < 300
    assert sum(map(len, warnings)) < 100_000


@given(
    st.text(st.characters(codec="ascii", exclude_characters="-_"), max_size=12),
    st.sampled_from(["_", "\n", " ", ":"]),
)
def test_no_odd_name_goes(text: str, odd: str) -> None:
    """A header name with a byte that another reader may take for a dash, or for the end, is dropped."""
    for start in ("accept-", "content-", "anthropic-", "x-stainless-", "x-codex-"):
        assert len(key().headers([((start + text + odd).encode(), b"")])) == 1


def test_no_repr_shows_it() -> None:
    """The representation shows no key."""
    assert KEY not in repr(key())


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/v1/embeddings", "/openai/v1/models"])
async def test_beside_a_central_key_only_the_list_goes_up(
    autojump_clock: MockClock, network: Network, path: str
) -> None:
    """On every route only listed headers go up with a central key; with a caller's key all go up as they came."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.answer(200, [], b"{}")

    await network.answer("openai", provider)
    headers = {
        name: "x" for name in (*GOES, *STAYS) if not name.startswith(("sec-", "content-encoding", "origin"))
    }
    method = "GET" if path.endswith("models") else "POST"
    options = {"openai_api_key": Secret(KEY), "openai_organization": "org-1", "forward_caller_keys": True}
    async with network.bridge(**options) as bridge:
        headers |= {"authorization": "Basic x"}
        del headers["x-api-key"], headers["api-key"]  # which would be the caller's own key
        await bridge.client.request(method, path, headers=headers)
        own = {"authorization": "Bearer own", "cookie": "c=1", "openai-organization": "org-own", "x-anything": "1"}
        await bridge.client.request(method, path, headers=own)
    went = {name.decode(): value.decode() for name, value in seen[0].headers}
    assert went["authorization"] == f"Bearer {KEY}"
    assert went["openai-organization"] == "org-1"
    assert set(went) <= {
        *GOES,
        "authorization",
        "openai-organization",
        "x-request-id",
        "host",
        "content-length",
    } | {
        "x-aibridge-hops",
        "connection",
    }
    assert set(GOES) - {"content-encoding", "originator"} <= set(went)
    passed = {name.decode(): value.decode() for name, value in seen[1].headers}
    assert passed | own == passed
