"""Requests on their way: headers, keys, bad input, and what is published about them."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.errors import Reject
from aibridge_trio.events import Bug, Finished, Started
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, MESSAGES, SSE, endless, failing, ok, recording
from tests.support.network import Network

# The way of a request


async def test_a_request_goes_up_and_its_answer_comes_back(autojump_clock: MockClock, network: Network) -> None:
    """Method, target and body arrive byte for byte; status and body come back."""
    seen: list[tuple[str, bytes, bytes, bytes]] = []

    async def provider(request: Request, reply: Reply) -> None:
        body = b"".join([piece async for piece in request.body])
        seen.append((request.method, request.path, request.query, body))
        await reply.answer(200, JSON, b'{"ok":true}')

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT + "?a=%20b&c", content=b"{}")
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}')
    assert seen == [("POST", b"/v1/chat/completions", b"a=%20b&c", b"{}")]


@pytest.mark.parametrize(
    ("method", "path", "host", "target"),
    [
        ("GET", "/openai/v1/models", "openai", b"/v1/models"),
        ("GET", "/openai/v1/models/a%20b:c", "openai", b"/v1/models/a%20b:c"),
        ("POST", "/openai/v1/embeddings", "openai", b"/v1/embeddings"),
        ("DELETE", "/openai/v1/responses/resp_1", "openai", b"/v1/responses/resp_1"),
        ("POST", MESSAGES, "anthropic", b"/v1/messages"),
        ("POST", "/anthropic/v1/messages/count_tokens", "anthropic", b"/v1/messages/count_tokens"),
        ("POST", "/copilot/chat/completions", "copilot", b"/chat/completions"),
        ("PATCH", "/copilot/mcp/x/y", "copilot", b"/mcp/x/y"),
    ],
)
async def test_each_prefix_leads_to_its_base_url(
    autojump_clock: MockClock, network: Network, method: str, path: str, host: str, target: bytes
) -> None:
    """Base URL plus path after the prefix, for every provider and method."""
    seen: list[Request] = []
    await network.answer(host, recording(seen))
    async with network.bridge() as bridge:
        assert (await bridge.client.request(method, path)).status_code == 200
    assert [(request.method, request.path) for request in seen] == [(method, target)]


@pytest.mark.parametrize("path", ["/", "/openai/v1", "/openai/v1/", "/anthropic", "/copilot/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_and_the_bare_prefixes_answer_clients_that_probe(
    autojump_clock: MockClock, network: Network, path: str, method: str
) -> None:
    """Real clients begin with HEAD / or a GET of their base URL."""
    async with network.bridge() as bridge:
        assert (await bridge.client.request(method, path)).status_code == 200
    assert not [host for host in network.dialled if host in ("openai", "anthropic", "copilot")]


async def test_headers_go_through_rebuilt(autojump_clock: MockClock, network: Network) -> None:
    """Hop-by-hop headers and those that Connection names stay behind; all others pass byte for byte."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.answer(
            200,
            [
                *JSON,
                (b"x-aibridge-reject", b"forged"),
                (b"proxy-authenticate", b"Basic"),
                (b"anthropic-ratelimit-requests-remaining", b"7"),
                (b"x-many", b"1"),
                (b"x-many", b"2"),
            ],
            b"{}",
        )

    await network.answer("anthropic", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(
            MESSAGES,
            content=b"{}",
            headers=[
                ("anthropic-beta", "a-2025,b-2026"),
                ("anthropic-version", "2023-06-01"),
                ("connection", "keep-alive, x-private"),
                ("x-private", "1"),
                ("te", "trailers"),
                ("proxy-authorization", "Basic eA=="),
                ("accept-encoding", "gzip"),
            ],
        )
    up = dict(seen[0].headers)
    assert (up[b"anthropic-beta"], up[b"anthropic-version"]) == (b"a-2025,b-2026", b"2023-06-01")
    assert up[b"host"] == b"anthropic"
    assert up[b"accept-encoding"] == b"identity"
    assert up[b"content-length"] == b"2"
    assert not {b"x-private", b"te", b"proxy-authorization", b"connection"} & up.keys()
    assert "x-aibridge-reject" not in answer.headers
    assert "proxy-authenticate" not in answer.headers
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "7"
    assert answer.headers.get_list("x-many") == ["1", "2"]


async def test_a_passed_through_request_keeps_its_accept_encoding(
    autojump_clock: MockClock, network: Network
) -> None:
    """The bridge asks for an unencoded answer only where it inspects the answer."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        await bridge.client.get("/openai/v1/models", headers={"accept-encoding": "zstd"})
    assert seen[0].header(b"accept-encoding") == b"zstd"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["mine-1"], True),
        (["x" * 128], True),
        (["x" * 129], False),
        (["a b"], False),
        (["a", "b"], False),
        ([], False),
    ],
)
async def test_the_request_id_is_the_callers_if_sane(
    autojump_clock: MockClock, network: Network, sent: list[str], kept: bool
) -> None:
    """A sane id goes upstream, comes back unless the provider sent one, and is logged; others are replaced."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, headers=[("x-request-id", value) for value in sent])
        [finished] = bridge.published(Finished)
    [up] = seen[0].header_values(b"x-request-id")
    assert answer.headers["x-request-id"] == up.decode() == finished.request_id
    assert (up.decode() in sent) is kept


async def test_the_providers_request_id_wins(autojump_clock: MockClock, network: Network) -> None:
    """The caller gets the provider's request id, because the provider's support asks for it."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.answer(200, [(b"x-request-id", b"theirs")], b"{}")

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, headers={"x-request-id": "mine"})
    assert answer.headers.get_list("x-request-id") == ["theirs"]


# Keys


async def test_without_a_central_key_the_callers_credential_goes_up_as_it_came(
    autojump_clock: MockClock, network: Network
) -> None:
    """The caller's credential goes up unchanged, with its scheme, case and spaces."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT, headers={"authorization": "bEARER sk-caller", "x-api-key": "also"})
    assert seen[0].header(b"authorization") == b"bEARER sk-caller"
    assert seen[0].header(b"x-api-key") == b"also"


@pytest.mark.parametrize(
    ("path", "header", "value"),
    [(CHAT, b"authorization", b"Bearer sk-central"), (MESSAGES, b"x-api-key", b"sk-central")],
)
async def test_a_central_key_replaces_the_callers_credential(
    autojump_clock: MockClock, network: Network, path: str, header: bytes, value: bytes
) -> None:
    """With a central key the caller's credential identifies the caller, and does not go up."""
    seen: list[Request] = []
    for host in ("openai", "anthropic"):
        await network.answer(host, recording(seen))
    keys = {"openai_api_key": Secret("sk-central"), "anthropic_api_key": Secret("sk-central")}
    async with network.bridge(**keys) as bridge:
        await bridge.client.post(path, headers={"authorization": "Bearer sk-caller", "x-api-key": "sk-caller"})
    credentials = [pair for pair in seen[0].headers if pair[0] in (b"authorization", b"x-api-key")]
    assert credentials == [(header, value)]


async def test_forward_caller_keys_prefers_the_callers(autojump_clock: MockClock, network: Network) -> None:
    """With the option a caller's credential goes up if it brought one, else the central key."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge(openai_api_key=Secret("sk-central"), forward_caller_keys=True) as bridge:
        await bridge.client.post(CHAT, headers={"authorization": "Bearer sk-caller"})
        await bridge.client.post(CHAT)
    sent = [request.header(b"authorization") for request in seen]
    assert sent == [b"Bearer sk-caller", b"Bearer sk-central"]


async def test_stored_data_is_never_shown_with_the_central_key(
    autojump_clock: MockClock, network: Network
) -> None:
    """Stored conversations can be read with a caller's own key only."""
    await network.answer("openai", ok)
    async with network.bridge(openai_api_key=Secret("k")) as bridge:
        for path in ("/openai/v1/conversations", "/openai/v1/conversations/c", "/openai/v1/responses/r"):
            assert (await bridge.client.get(path)).status_code == 404
    assert "openai" not in network.dialled
    async with network.bridge() as bridge:
        headers = {"authorization": "Bearer own"}
        assert (await bridge.client.get("/openai/v1/responses/r", headers=headers)).status_code == 200


async def test_copilot_never_gets_a_central_key(autojump_clock: MockClock, network: Network) -> None:
    """Copilot's requests go up with the caller's credential even if other providers have central keys."""
    seen: list[Request] = []
    await network.answer("copilot", recording(seen))
    async with network.bridge(openai_api_key=Secret("k"), anthropic_api_key=Secret("k")) as bridge:
        await bridge.client.post("/copilot/chat/completions", headers={"authorization": "Bearer gh"})
    assert seen[0].header(b"authorization") == b"Bearer gh"


# Bad input


@pytest.mark.parametrize(
    ("make", "status", "reason"),
    [
        (lambda c: c.post(CHAT, headers=[("x-api-key", "a"), ("x-api-key", "b")]), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers=[("authorization", "Bearer a")] * 2), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers={"authorization": "Bearer"}), 400, "bad_request"),
        (lambda c: c.post(CHAT, headers={"x-api-key": ""}), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/evals"), 404, "not_found"),
        (lambda c: c.get("/openai"), 404, "not_found"),
        (lambda c: c.post("/"), 404, "not_found"),
        (lambda c: c.delete(CHAT), 404, "not_found"),
        (lambda c: c.get("/openai/v1/models/%2e%2e/files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/models//files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/models/..;/files"), 400, "bad_request"),
        (lambda c: c.get("/openai/v1/responses/a%2Ffiles"), 400, "bad_request"),
        (lambda c: c.request("TRACE", "/"), 405, "method_not_allowed"),
        (
            lambda c: c.get(
                "/openai/v1/responses",
                headers={
                    "upgrade": "websocket",
                    "connection": "upgrade",
                    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
                    "sec-websocket-version": "13",
                },
            ),
            426,
            "upgrade_refused",
        ),
    ],
)
async def test_bad_input_is_refused_in_place(
    autojump_clock: MockClock,
    network: Network,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[httpx.AsyncClient], object],
    status: int,
    reason: str,
) -> None:
    """No malformed request reaches a provider, holds a slot after its answer, or writes a traceback."""
    async with network.bridge(max_concurrency=1) as bridge:
        answer = await make(bridge.client)  # type: ignore[misc]
        assert isinstance(answer, httpx.Response)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (status, reason)
        assert answer.headers["content-type"] == "application/json"
        assert bridge.bridge.admission.statistics().in_flight == 0
        assert not bridge.published(Started)
        assert bridge.published(Bug) == []
    assert "Traceback" not in capsys.readouterr().err
    assert not [host for host in network.dialled if host in ("openai", "anthropic", "copilot")]


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/../admin",
        b"/openai/v1/./models",
        b"/openai/v1/models/..",
        b"/openai\\v1",
        b"http://evil/openai/v1/models",
    ],
)
async def test_tricked_paths_are_400(autojump_clock: MockClock, network: Network, target: bytes) -> None:
    """A path that another reader would resolve differently is refused before the allow-list is asked."""
    async with network.bridge():
        stream = network.dial("bridge")
        await stream.send_all(b"GET %s HTTP/1.1\r\nhost: bridge\r\n\r\n" % target)
        head = bytes(await stream.receive_some())
        assert head.startswith(b"HTTP/1.1 400")
        assert b"x-aibridge-reject: bad_request" in head
        await stream.aclose()


async def test_malformed_json_is_the_providers_to_judge(autojump_clock: MockClock, network: Network) -> None:
    """The bridge does not read what callers send."""
    seen: list[bytes] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(b"".join([piece async for piece in request.body]))
        await reply.answer(400, JSON, b'{"error":{"message":"not json"}}')

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        answer = await bridge.client.post(CHAT, content=b'{"broken')
    assert (answer.status_code, seen) == (400, [b'{"broken'])
    assert "x-aibridge-reject" not in answer.headers


async def test_length_and_chunks_together_are_refused(autojump_clock: MockClock, network: Network) -> None:
    """Two readers could disagree on where such a request ends."""
    async with network.bridge():
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ncontent-length: 3\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")
        await stream.aclose()


# What is published


async def test_the_record_of_a_request(autojump_clock: MockClock, network: Network) -> None:
    """`Finished` has caller, provider, outcome and all else that log lines and counters need."""
    body = json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()
    await network.answer("openai", failing(200, body))
    async with network.bridge() as bridge:
        await bridge.client.post(
            CHAT, content=b"{}", headers={"authorization": "Bearer sk-0123456789abcdef", "user-agent": "u" * 100}
        )
        [finished] = bridge.published(Finished)
        assert await bridge.metric("tokens_total", provider="openai", type="input") == 10
        assert await bridge.metric("tokens_total", provider="openai", type="output") == 5
    assert (finished.provider, finished.route, finished.method, finished.status) == (
        "openai",
        "/chat/completions",
        "POST",
        200,
    )
    assert finished.caller is not None
    assert finished.caller.hint == "…cdef"
    assert (finished.bytes_in, finished.bytes_out) == (2, len(body))
    assert finished.user_agent == "u" * 64
    assert finished.first_byte is not None


async def test_an_idle_connection_does_not_hold_up_the_end(autojump_clock: MockClock, network: Network) -> None:
    """A kept connection without a request closes at once when the bridge stops."""
    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200
        await bridge.signals.send(15)
        began = trio.current_time()
        await bridge.ended.wait()
        assert (bridge.exit_status, trio.current_time() - began) == (0, 0)


async def test_a_caller_that_comes_again_at_once_finds_its_slot_free(
    autojump_clock: MockClock, network: Network
) -> None:
    """One caller, one slot, a hundred requests in a row, sized and not: none is rejected."""

    async def streamed(request: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(b"data: {}\n\n")
        await reply.end()

    await network.answer("openai", ok)
    await network.answer("anthropic", streamed)
    async with network.bridge(max_concurrency=1) as bridge:
        for _ in range(50):
            assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
            async with network.client("bridge") as another:
                assert (await another.post(MESSAGES, content=b"{}")).status_code == 200


async def test_no_repr_of_ours_shows_a_secret(autojump_clock: MockClock, network: Network) -> None:
    """While requests run and after they have ended, no object's repr shows a credential."""
    central, caller, token = (
        "sk-central-canary-0123456789",
        "sk-caller-canary-0123456789",
        "admin-canary-0123456789",
    )

    async def provider(request: Request, reply: Reply) -> None:
        await (endless if request.path.endswith(b"completions") else ok)(request, reply)

    def shown() -> str:
        ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith("aibridge_trio")]
        assert {"Request", "Outgoing", "Record", "Backend", "Caller", "Settings"} <= {
            type(o).__name__ for o in ours
        }
        return " ".join(map(repr, ours))

    for host in ("openai", "anthropic"):
        await network.answer(host, provider)
    keys = {"openai_api_key": Secret(central), "admin_token": Secret(token)}
    async with network.bridge(**keys) as bridge, trio.open_nursery() as nursery:
        headers = {"authorization": f"Bearer {caller}", "x-api-key": caller, "cookie": caller}
        nursery.start_soon(partial(bridge.client.post, f"{CHAT}?key={caller}", headers=headers, content=caller))
        await bridge.client.post(MESSAGES, headers=headers)
        await bridge.client.get("/nowhere", headers=headers)
        await trio.sleep(1)
        said = shown()
        nursery.cancel_scope.cancel()
    for secret in (central, caller, token):
        assert secret not in said


async def test_what_is_refused_leaves_no_cycle(autojump_clock: MockClock, network: Network) -> None:
    """A reject is cheap: no frame that it came through keeps it, the request or the connection."""
    await network.answer("openai", failing(503))
    limits: dict[str, Any] = {"rate_limit": 4, "circuit_breaker": True, "circuit_breaker_failure_threshold": 1}
    async with network.bridge(**limits) as bridge:
        await bridge.client.post(CHAT, content=b"{}")
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            asked = [("POST", CHAT), ("GET", "/openai/v1/models"), ("GET", "/nowhere"), ("GET", "/nowhere")]
            answers = [await bridge.client.request(*each, content=b"{}") for each in asked]
            gc.collect()
            assert not [each for each in gc.garbage if isinstance(each, Reject)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    reasons = [answer.headers["x-aibridge-reject"] for answer in answers]
    assert reasons == ["circuit_open", "circuit_open", "not_found", "rate_limit"]
