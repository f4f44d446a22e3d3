"""Routes, refusals, pace and chance: the mock in memory and in virtual time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from backports import zstd
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.mock.schema import minimal
from tests.support.mock_provider import call

if TYPE_CHECKING:
    from trio.testing import MockClock

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [], "input": "hi"}


@pytest.mark.parametrize("version", ["", "/v1"])
@pytest.mark.parametrize(
    "path",
    ["/chat/completions", "/responses", "/messages", "/messages/count_tokens", "/embeddings"],
)
async def test_routes_answer_with_and_without_the_version(version: str, path: str) -> None:
    """Base URLs with and without /v1 reach the same routes, without any credential."""
    answer = await call(Mock(MockOptions()), version + path, ASK)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["request-id" if "messages" in path else "x-request-id"] == "req_mock000001"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_answers_probes(method: str) -> None:
    """GET and HEAD of / are 200 and not counted."""
    mock = Mock(MockOptions(fail=((500, 1.0),)))
    assert (await call(mock, "/", method=method)).status == 200
    assert mock.statistics().requests == 0


@pytest.mark.parametrize(
    "path",
    [
        "/agents/x/y",
        "/mcp/readonly",
        "/.well-known/oauth",
        "/v1/conversations",
        "/v1/conversations/conv_1/items",
        "/v1/responses/resp_1",
        "/responses/resp_1/cancel",
        "/api/event_logging/batch",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_paths_that_are_passed_through_are_echoed(path: str, method: str) -> None:
    """What a provider does there doesn't matter: the mock says what it was asked, any method."""
    answer = await call(Mock(MockOptions()), f"{path}?q=1", b"anything", method=method)
    assert answer.status == 200
    assert json.loads(answer.body) == {"method": method, "path": path}


@pytest.mark.parametrize(
    ("method", "path", "headers", "anthropic"),
    [
        ("GET", "/v1/files", {}, False),
        ("GET", CHAT, {}, False),
        ("POST", "/v1/models", {}, False),
        ("POST", "/v1/responses/", {}, False),
        ("GET", "/v1/messages", {}, True),
        ("POST", "/v1/messages/batches", {}, True),
        ("GET", "/v1/files", {"anthropic-version": "2023-06-01"}, True),
    ],
)
async def test_anything_else_is_not_found_in_the_dialect(
    method: str, path: str, headers: dict[str, str], anthropic: bool
) -> None:
    """An unknown route is 404 in the shape of the provider that was meant."""
    answer = await call(Mock(MockOptions()), path, ASK, method=method, headers=headers)
    body = json.loads(answer.body)
    assert answer.status == 404
    assert (body.get("type") == "error") is anthropic
    assert body["error"]["type"] == ("not_found_error" if anthropic else "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (CHAT, b"{", "not a JSON object"),
        (CHAT, b"[]", "not a JSON object"),
        (CHAT, {"messages": []}, "Missing required parameter: 'model'."),
        (CHAT, {"model": "m"}, "'messages'"),
        (CHAT, {"model": 1, "messages": []}, "Invalid type for 'model'."),
        ("/v1/responses", {"model": "m"}, "'input'"),
        ("/v1/embeddings", {"model": "m"}, "'input'"),
        ("/v1/messages", {"messages": []}, "model: Field required"),
        ("/v1/messages/count_tokens", {"model": "m"}, "messages: Field required"),
        ("/v1/messages", b"\xff", "not a JSON object"),
    ],
)
async def test_a_malformed_request_is_400_in_the_dialect(path: str, body: Any, said: str) -> None:
    """What is missing or malformed is told as the provider tells it."""
    answer = await call(Mock(MockOptions()), path, body)
    error = json.loads(answer.body)
    assert answer.status == 400
    assert error["error"]["type"] == "invalid_request_error"
    assert said in error["error"]["message"]
    assert ("request_id" in error) is ("messages" in path.removeprefix("/v1"))


@pytest.mark.parametrize(
    "odd",
    [
        {"tools": "all"},
        {"tools": [None]},
        {"tools": [{"type": "function"}], "tool_choice": "required"},
        {"messages": [None], "input": [None]},
        {"stream_options": None},
        {"model": "\ud800"},
        {"input": [[1, 2], [3]]},
        {"dimensions": "many"},
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages", "/v1/embeddings"])
@pytest.mark.parametrize("stream", [True, False])
async def test_odd_requests_are_answered(odd: dict[str, Any], path: str, stream: bool) -> None:
    """A request that a provider would refuse for finer reasons is no reason to fail."""
    answer = await call(Mock(MockOptions()), path, ASK | {"stream": stream} | odd)
    assert (answer.status, answer.ended) == (200, True)


async def test_a_stream_is_paced_by_its_words(autojump_clock: MockClock) -> None:
    """At 4 words a second, 8 words come every 250 ms and the end 2 s after the head."""
    mock = Mock(MockOptions(latency=3, tokens=8, tokens_per_second=4))
    answer = await call(mock, CHAT, ASK | {"stream": True})
    assert answer.head_at == pytest.approx(3)
    assert [at for at, _ in answer.pieces] == pytest.approx([3 + n / 4 for n in range(9)])


async def test_a_unary_answer_takes_as_long_as_its_stream(autojump_clock: MockClock) -> None:
    """A unary answer's head comes after the latency and the time that its words take."""
    mock = Mock(MockOptions(latency=3, tokens=8, tokens_per_second=4))
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(5)
    assert (await call(mock, "/v1/embeddings", ASK)).head_at == pytest.approx(3)


async def test_a_delay_adds_to_the_latency(autojump_clock: MockClock) -> None:
    """A scripted delay comes on top, for this one answer."""
    mock = Mock(MockOptions(latency=1))
    await call(mock, "/mock/script", {"answers": [{"delay": 600}]})
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(601)
    assert (await call(mock, CHAT, ASK)).head_at == pytest.approx(1)


async def test_chunks_are_apart_by_their_delay(autojump_clock: MockClock) -> None:
    """Each chunk is a piece of its own, the delay between them."""
    mock = Mock(MockOptions())
    await call(mock, "/mock/script", {"answers": [{"chunks": ["a", "b", "c"], "chunk_delay": 20}]})
    answer = await call(mock, CHAT, ASK)
    assert [piece for _, piece in answer.pieces] == [b"a", b"b", b"c"]
    assert [at for at, _ in answer.pieces] == pytest.approx([0, 20, 40])


async def test_without_pace_an_answer_is_few_pieces() -> None:
    """As fast as possible means few sends, for a long stream too."""
    mock = Mock(MockOptions(tokens=1000))
    answer = await call(mock, CHAT, ASK | {"stream": True})
    assert answer.body.count(b"data: ") == 1003
    assert len(answer.pieces) <= len(answer.body) / 16_000 + 1


@pytest.mark.parametrize("moment", ["latency", "stream", "stall"])
async def test_who_leaves_early_has_aborted(moment: str, autojump_clock: MockClock) -> None:
    """Leaving before the head, in mid-stream or in a stall is counted, each once."""
    options = {"latency": MockOptions(latency=9), "stream": MockOptions(tokens_per_second=1)}
    mock = Mock(options.get(moment, MockOptions()))
    if moment == "stall":
        await call(mock, "/mock/script", {"answers": [{"fault": "stall"}]})
    leave, start = trio.Event(), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(call, mock, CHAT, ASK | {"stream": True}, leave=leave))
        await trio.sleep(5)
        assert mock.statistics().in_flight == 1
        leave.set()
    stats = mock.statistics()
    assert (stats.aborted, stats.in_flight) == (1, 0)
    assert trio.current_time() - start == pytest.approx(5)


async def test_failures_are_drawn_as_often_as_asked() -> None:
    """With --fail 429:0.3 and 503:0.2 half of the requests fail, in that proportion."""
    mock = Mock(MockOptions(fail=((429, 0.3), (503, 0.2)), seed=1))
    for _ in range(1000):
        await call(mock, CHAT, ASK)
    by_status = mock.statistics().by_status
    assert by_status["429"] == pytest.approx(300, abs=45)
    assert by_status["503"] == pytest.approx(200, abs=40)


async def test_a_seed_makes_failures_repeatable() -> None:
    """Two mocks with one seed fail at the same requests."""

    async def statuses() -> list[int]:
        mock = Mock(MockOptions(fail=((529, 0.5),), seed=7))
        return [(await call(mock, "/v1/messages", ASK)).status for _ in range(32)]

    first = await statuses()
    assert set(first) == {200, 529}
    assert first == await statuses()


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_overload_says_when_to_come_back(status: int) -> None:
    """The overload statuses carry Retry-After and the provider's own type."""
    mock = Mock(MockOptions(fail=((status, 1.0),)))
    chat, messages = await call(mock, CHAT, ASK), await call(mock, "/v1/messages", ASK)
    for answer in (chat, messages):
        assert (answer.status, answer.headers["retry-after"]) == (status, "1")
    limited = status == 429
    code = "rate_limit_exceeded" if limited else "server_is_overloaded"
    assert json.loads(chat.body)["error"]["code"] == code
    kind = "rate_limit_error" if limited else "overloaded_error"
    assert json.loads(messages.body)["error"]["type"] == kind


async def test_scripted_requests_draw_no_failure() -> None:
    """A script is stronger than chance, and probability 1 fails everything else."""
    mock = Mock(MockOptions(fail=((500, 1.0),)))
    await call(mock, "/mock/script", {"answers": [{}]})
    assert [(await call(mock, CHAT, ASK)).status for _ in range(2)] == [200, 500]


async def test_the_same_request_gets_the_same_answer() -> None:
    """Nothing in an answer comes from chance or the clock."""
    asked = ASK | {"stream": True}
    first, second = [await call(Mock(MockOptions()), CHAT, asked) for _ in range(2)]
    assert first.body == second.body
    assert first.headers == second.headers


async def test_a_bug_is_contained_to_its_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong inside is a 500 with a line on stderr, and the next request is served."""
    mock = Mock(MockOptions())
    monkeypatch.setattr(mock, "_wall_clock", lambda: 1 / 0)
    assert (await call(mock, CHAT, ASK)).status == 500
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert mock.statistics().in_flight == 0
    monkeypatch.undo()
    assert (await call(mock, CHAT, ASK)).status == 200


async def test_only_http_is_answered() -> None:
    """Lifespan and its like return without a word."""

    async def never(*_: Any) -> Any:
        raise AssertionError

    await Mock(MockOptions()).app({"type": "lifespan"}, never, never)


def test_a_mock_tells_its_state() -> None:
    """The repr shows what is going on."""
    assert repr(Mock(MockOptions())) == "<Mock requests=0 in_flight=0>"


_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 3},
        {"type": "integer"},
        {"type": "integer", "minimum": 5},
        {"type": ["boolean", "null"]},
        {"type": "number"},
        {"type": "null"},
        {"enum": ["a", "b"]},
        {"const": 7},
    ]
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda each: {"type": "array", "items": each, "minItems": 1}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        inner.map(lambda each: {"oneOf": [each]}),
        st.dictionaries(st.sampled_from("abc"), inner).map(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)}
        ),
    ),
    max_leaves=5,
)


@given(_SCHEMAS)
@example({"anyOf": [{"type": ["boolean", "null"]}]})
def test_a_tools_arguments_fit_its_schema(schema: dict[str, Any]) -> None:
    """What the mock makes up for a schema, the schema accepts."""
    Draft202012Validator(schema).validate(minimal(schema, depth=50))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_scripts_and_tools_survive_any_json(junk: Any) -> None:
    """Junk in a script is refused or played, in a request answered; never a crash."""

    async def main() -> None:
        mock = Mock(MockOptions())
        assert (await call(mock, "/mock/script", {"answers": junk})).status in (200, 400)
        await call(mock, "/mock/script", method="DELETE")
        tools = ASK | {"tools": junk, "tool_choice": "required"}
        assert (await call(mock, CHAT, tools)).status == 200

    trio.run(main)


# Bodies in other codings

PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "Identity": bytes,
}


@pytest.mark.parametrize("coding", PACKS)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages"])
async def test_compressed_bodies_are_read(path: str, coding: str) -> None:
    """As the same body in plain text is; tokens are those of the text."""
    packed = PACKS[coding](json.dumps(ASK).encode())
    answer = await call(Mock(MockOptions()), path, packed, headers={"content-encoding": coding})
    assert (answer.status, answer.body) == (200, (await call(Mock(MockOptions()), path, ASK)).body)


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", b"x", 415),
        ("gzip, zstd", b"x", 415),
        ("gzip", b"no gzip", 400),
        ("zstd", b"no zstd", 400),
        ("gzip", gzip.compress(b" " * (65 << 20)), 413),
        ("zstd", zstd.compress(b" " * (65 << 20)), 413),
    ],
)
async def test_what_cannot_be_unpacked_is_refused(coding: str, body: bytes, status: int) -> None:
    """Unknown codings, lies and bombs, in the dialect."""
    answer = await call(Mock(MockOptions()), CHAT, body, headers={"content-encoding": coding})
    assert answer.status == status
    assert json.loads(answer.body)["error"]["message"]


# Structured output

POINT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "x": {"type": "integer", "minimum": 3},
        "name": {"$ref": "#/$defs/name"},
        "when": {"type": "string", "format": "date-time"},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "sides": {"type": "array", "items": {"enum": ["left", "right"]}, "minItems": 2},
    },
    "required": ["x", "name", "when", "next", "sides"],
    "additionalProperties": False,
    "$defs": {"name": {"allOf": [{"type": "string", "minLength": 3}]}},
}
FORMATS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": POINT}}}),
    ("/v1/responses", {"text": {"format": {"type": "json_schema", "name": "p", "schema": POINT}}}),
    ("/v1/messages", {"output_config": {"format": {"type": "json_schema", "schema": POINT}}}),
    ("/v1/messages", {"output_format": {"type": "json_schema", "schema": POINT}}),
]


def said(path: str, document: Any) -> str:
    """Return the text of an answer."""
    match path:
        case "/v1/responses":
            return str(document["output"][0]["content"][0]["text"])
        case "/v1/messages":
            return str(document["content"][0]["text"])
    return str(document["choices"][0]["message"]["content"])


def streamed(body: bytes) -> str:
    """Return the text of a stream."""
    text = ""
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            delta = (event.get("choices") or [{}])[0].get("delta", event.get("delta", ""))
            text += delta if isinstance(delta, str) else delta.get("content") or delta.get("text") or ""
    return text


@pytest.mark.parametrize(("path", "wanted"), FORMATS)
async def test_structured_output_fits_its_schema(path: str, wanted: dict[str, Any]) -> None:
    """In every dialect, unary and streamed alike, and counted."""
    answer = json.loads((await call(Mock(MockOptions()), path, ASK | wanted)).body)
    text = said(path, answer)
    Draft202012Validator(POINT).validate(json.loads(text))
    assert json.loads(text)["x"] == 3
    stream = await call(Mock(MockOptions()), path, ASK | wanted | {"stream": True})
    assert streamed(stream.body) == text
    usage = answer["usage"]
    assert usage.get("output_tokens", usage.get("completion_tokens")) == -(-len(text) // 4)


async def test_any_json_is_an_object() -> None:
    """With `json_object`, and where a schema is missing or is none."""
    for wanted in (
        {"type": "json_object"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}},
        {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nowhere"}}},
    ):
        answer = await call(Mock(MockOptions()), CHAT, ASK | {"response_format": wanted})
        assert json.loads(said(CHAT, json.loads(answer.body))) == {}
    plain = await call(Mock(MockOptions()), CHAT, ASK | {"response_format": {"type": "text"}})
    assert said(CHAT, json.loads(plain.body)).startswith("This is a mock")


def test_a_schema_that_demands_much_gets_little() -> None:
    """Neither a recursion without an end nor arrays of arrays make the mock work long or say much."""
    endless: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert len(json.dumps(minimal(endless))) < 1000
    wide: dict[str, Any] = {"type": "string"}
    for _ in range(8):
        wide = {"type": "array", "items": wide, "minItems": 64}
    assert len(json.dumps(minimal(wide))) < 20_000


INSTRUCTIONS = {"role": "developer", "content": "Be brief."}
TOOL: dict[str, Any] = {"type": "function", "name": "ls", "parameters": {"type": "object"}}
WISH = {"role": "user", "content": [{"type": "input_text", "text": "Use a tool, please."}]}


@pytest.mark.parametrize(
    ("spoken", "called"),
    [
        ([WISH], True),
        ([WISH, INSTRUCTIONS], True),
        ([WISH, {"role": "system", "content": "x"}, INSTRUCTIONS], True),
        ([INSTRUCTIONS], False),
        ([WISH, {"role": "assistant", "content": "yes"}], False),
        ([WISH, {"type": "function_call", "name": "ls"}, {"type": "function_call_output"}], False),
        ([WISH, {"role": "user", "content": "No."}], False),
        ([{"role": "developer", "content": "use a tool"}], False),
        ([], False),
        ("use a tool", True),
    ],
)
async def test_the_last_user_message_asks_for_a_tool(spoken: Any, called: bool) -> None:
    """Instructions may stand behind it, as Codex writes them; what was done since then ends the wish."""
    body = {"model": "m", "input": spoken, "tools": [TOOL]}
    answer = json.loads((await call(Mock(MockOptions()), "/v1/responses", body)).body)
    assert (answer["output"][0]["type"] == "function_call") is called
