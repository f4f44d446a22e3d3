"""The control endpoint, and each fault as a caller sees it on a real socket."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from aibridge_trio.mock import MockOptions
from tests.support.mock_provider import Provider, eventually, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/responses", "/v1/messages")
ASK: dict[str, Any] = {"model": "m", "messages": [], "input": "hi", "stream": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture(autouse=True)
def fresh(provider: Provider) -> None:
    provider.clear()


def post(provider: Provider, path: str = CHAT, **changes: Any) -> httpx.Response:
    return provider.client.post(path, json={**ASK, **changes}, timeout=0.3)


def events(body: str) -> list[Any]:
    """The JSON of each event."""
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {")]
    return [json.loads(text) for text in data]


def test_a_scripted_answer_is_given_as_often_as_it_says_then_the_usual_ones(provider: Provider) -> None:
    """Answers are taken in order, each as many times as it says."""
    provider.script({"status": 429, "times": 2}, {"status": 503})
    assert [post(provider).status_code for _ in range(4)] == [429, 429, 503, 200]


def test_a_script_can_be_cleared(provider: Provider) -> None:
    """After DELETE nothing is left of the script."""
    provider.script({"status": 500, "times": 9})
    assert provider.stats()["scripted_left"] == 9
    provider.client.delete("/mock/script")
    assert provider.stats()["scripted_left"] == 0
    assert post(provider).status_code == 200


def test_an_answer_with_a_path_waits_for_it(provider: Provider) -> None:
    """An answer meant for one path leaves the others alone and lets those behind it pass."""
    provider.script({"status": 529, "path": "/messages"}, {"status": 500})
    assert [post(provider, path).status_code for path in (CHAT, CHAT, "/v1/messages")] == [500, 200, 529]


def test_headers_are_added_replaced_and_left_out(provider: Provider) -> None:
    """A scripted header takes the place of the usual one; null leaves it out."""
    provider.script({"status": 429, "headers": {"Retry-After": None, "X-Own": "1", "x-request-id": "mine"}})
    headers = post(provider).headers
    assert "retry-after" not in headers
    assert (headers["x-own"], headers["x-request-id"]) == ("1", "mine")


@pytest.mark.parametrize("stream", [True, False])
def test_a_body_is_sent_verbatim(provider: Provider, stream: bool) -> None:
    """A string is the body, any other JSON value is sent as JSON, streamed request or not."""
    provider.script({"body": "not json, ä"}, {"status": 400, "body": {"error": [1]}})
    assert post(provider, stream=stream).text == "not json, ä"
    answer = post(provider, stream=stream)
    assert (answer.status_code, answer.json()) == (400, {"error": [1]})


def test_chunks_are_sent_verbatim_and_apart(provider: Provider) -> None:
    """Chunks arrive byte for byte, bare bytes too, the next only after its delay."""
    script = json.dumps({"answers": [{"chunks": ["data: a\r\r", "\udcff\n"], "chunk_delay": 0.05}]})
    provider.client.post("/mock/script", content=script).raise_for_status()
    with provider.client.stream("POST", CHAT, json=ASK) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert list(answer.iter_raw()) == [b"data: a\r\r", b"\xff\n"]


def test_tokens_of_an_answer_can_be_scripted(provider: Provider) -> None:
    """The answer has as many words as the script says, and its usage too."""
    provider.script({"tokens": 3})
    answer = post(provider, stream=False).json()
    assert answer["choices"][0]["message"]["content"] == "This is a"
    assert answer["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stream", [True, False])
def test_a_reset_comes_before_the_head(provider: Provider, stream: bool) -> None:
    """A reset connection has given no answer."""
    provider.script({"fault": "reset"})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        post(provider, stream=stream)
    stats = provider.stats()
    assert (stats["aborted"], stats["by_status"]) == (0, {})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("own", [{}, {"body": "0123456789"}, {"chunks": ["a", "b", "c"]}])
def test_a_truncated_answer_ends_uncleanly(provider: Provider, stream: bool, own: dict[str, Any]) -> None:
    """HTTP's framing tells that a truncated answer is not complete."""
    provider.script({"fault": "truncate", "after": 2, **own})
    with pytest.raises(httpx.RemoteProtocolError):
        post(provider, stream=stream)
    assert provider.stats()["aborted"] == 0


def test_a_truncated_stream_has_the_events_before(provider: Provider) -> None:
    """Exactly `after` events precede the break."""
    provider.script({"fault": "truncate", "after": 5})
    with provider.client.stream("POST", "/v1/messages", json=ASK) as answer:
        pieces = answer.iter_raw()
        got = next(pieces)
        with pytest.raises(httpx.RemoteProtocolError):
            got += b"".join(pieces)
    kinds = [event["type"] for event in events(got.decode())]
    assert kinds == ["message_start", "content_block_start", "ping", *["content_block_delta"] * 2]


@pytest.mark.parametrize("stream", [True, False])
def test_a_stalled_answer_is_silent_until_the_caller_leaves(provider: Provider, stream: bool) -> None:
    """A stalled answer times out at the caller, and its leaving is counted within a second."""
    provider.script({"fault": "stall"})
    with pytest.raises(httpx.ReadTimeout):
        post(provider, stream=stream)
    assert eventually(lambda: provider.stats()["aborted"] == 1)
    assert provider.stats()["in_flight"] == 0


@pytest.mark.parametrize("path", PATHS)
def test_an_error_event_ends_the_stream_cleanly_in_the_dialects_shape(provider: Provider, path: str) -> None:
    """After `after` events comes the error, in the shape that the provider documents, and nothing more."""
    provider.script({"fault": "error_event", "after": 4})
    answer = post(provider, path)
    *before, last = events(answer.text)
    assert len(before) == 4
    message = "Our servers are currently overloaded."
    if path == CHAT:
        assert last["error"]["code"] == "server_is_overloaded"
        assert "event:" not in answer.text
    elif path == "/v1/responses":
        code = {"code": "server_is_overloaded", "message": message, "param": None}
        assert last == {"type": "error", "sequence_number": 4, **code}
    else:
        assert last["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    if path != CHAT:
        assert answer.text.split("event: ")[-1].startswith("error\n")


@pytest.mark.parametrize(("path", "status"), [(CHAT, 503), ("/v1/messages", 529)])
def test_an_error_event_of_a_unary_answer_is_its_status(provider: Provider, path: str, status: int) -> None:
    """Without a stream the same error is sent as a status."""
    provider.script({"fault": "error_event"})
    assert post(provider, path, stream=False).status_code == status


def test_an_error_can_be_named(provider: Provider) -> None:
    """A code alone makes the answer that a provider gives for it."""
    provider.script({"error": "insufficient_quota"})
    answer = post(provider)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "insufficient_quota")
    assert "retry-after" not in answer.headers  # waiting would not help


def test_an_error_is_scripted_whatever_the_body(provider: Provider) -> None:
    """A scripted status goes before the request's own mistakes."""
    provider.script({"status": 503})
    assert provider.client.post(CHAT, content=b"junk").status_code == 503


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "answers"),
        (b'{"answers": [{}], "x": 1}', "unknown field x"),
        (b'{"answers": [{}, {"stauts": 1, "foo": 2}]}', "answers[1]: unknown field foo, stauts; known: status,"),
        (b'{"answers": [{"status": 99}]}', "answers[0].status"),
        (b'{"answers": [{"status": true}]}', "answers[0].status"),
        (b'{"answers": [{"delay": -1}]}', "answers[0].delay"),
        (b'{"answers": [{"delay": NaN}]}', "answers[0].delay"),
        (b'{"answers": [{"headers": {"a b": "c"}}]}', "answers[0].headers"),
        (b'{"answers": [{"headers": {"a": "c\\nd"}}]}', "answers[0].headers"),
        (b'{"answers": [{"chunks": "text"}]}', "answers[0].chunks"),
        (b'{"answers": [{"chunks": ["\\ud800"]}]}', "answers[0].chunks"),
        (b'{"answers": [{"fault": "explode"}]}', "answers[0].fault: one of reset"),
        (b'{"answers": [{"times": 0}]}', "answers[0].times"),
        (b'{"answers": [3]}', "answers[0]"),
    ],
)
def test_a_wrong_script_is_refused_whole_in_one_line(provider: Provider, script: bytes, said: str) -> None:
    """A mistake in a script is named, in one line, and none of its answers count."""
    answer = provider.client.post("/mock/script", content=script)
    message = answer.json()["error"]["message"]
    assert answer.status_code == 400
    assert said in message
    assert "\n" not in message
    assert provider.stats()["scripted_left"] == 0


def test_statistics_show_what_arrived(provider: Provider) -> None:
    """The statistics have target, headers and body of a request as received."""
    provider.client.post(
        "/v1/embeddings?a=%2F&b", content=b'{"model":', headers=[("X-Twice", "1"), ("X-Twice", "2")]
    )
    stats = provider.stats()
    (last,) = stats["last"]
    assert (last["method"], last["target"]) == ("POST", "/v1/embeddings?a=%2F&b")
    assert [value for name, value in last["headers"] if name == "x-twice"] == ["1", "2"]
    assert (last["body_bytes"], last["body_sha256"]) == (9, hashlib.sha256(b'{"model":').hexdigest())
    assert (stats["requests"], stats["by_status"], stats["in_flight"]) == (1, {"400": 1}, 0)


def test_statistics_count_api_routes_only_and_can_be_reset(provider: Provider) -> None:
    """Probes and the control endpoint are not counted; unknown routes are, and DELETE forgets."""
    provider.client.get("/")
    provider.client.get("/v1/files")
    assert provider.stats()["requests"] == 1
    provider.client.delete("/mock/stats")
    stats = provider.stats()
    assert (stats["requests"], stats["by_status"], stats["last"]) == (0, {}, [])


def test_the_last_requests_are_bounded(provider: Provider) -> None:
    """Only 32 requests are remembered one by one; all are counted."""
    for n in range(35):
        provider.client.get(f"/v1/models/{n}")
    stats = provider.stats()
    assert stats["requests"] == 35
    assert [each["target"] for each in stats["last"]] == [f"/v1/models/{n}" for n in range(3, 35)]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/mock/script"), ("POST", "/mock/stats"), ("GET", "/mock/x")]
)
def test_the_control_endpoint_names_what_it_has(provider: Provider, method: str, path: str) -> None:
    """A wrong call of the control endpoint lists the right ones."""
    answer = provider.client.request(method, path)
    assert answer.status_code == 404
    assert "/mock/stats" in answer.json()["error"]["message"]


def test_who_leaves_a_paced_stream_is_counted_within_a_second() -> None:
    """A caller that leaves in mid-stream has aborted, and no longer is in flight."""
    with running(MockOptions(tokens=10_000, tokens_per_second=100)) as slow:
        with slow.client.stream("POST", CHAT, json=ASK) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            assert slow.stats()["in_flight"] == 1
        assert eventually(lambda: slow.stats()["aborted"] == 1)
        assert slow.stats()["in_flight"] == 0
