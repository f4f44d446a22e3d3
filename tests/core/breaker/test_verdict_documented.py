"""Answers of compatible providers as their documents, or reports of them, have them: what each is taken for."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from aibridge_trio.core import key_errors
from aibridge_trio.core.breaker import retry_after, verdict
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.quota import Left
from aibridge_trio.providers.quota_headers import QUOTAS

WALL = 1_745_107_190.0
FAILURE, NEUTRAL, SUCCESS = Verdict.FAILURE, Verdict.NEUTRAL, Verdict.SUCCESS
RATE, SPENT, INVALID = KeyFault.RATE, KeyFault.SPENT, KeyFault.INVALID


class Answer(NamedTuple):
    """An answer: its verdict, the seconds its provider asks to wait, and what is wrong with the key."""

    provider: str
    status: int
    body: str
    verdict: Verdict
    hint: float | None = None
    key: KeyFault | None = None
    headers: tuple[tuple[str, str], ...] = ()


# Sources: docs/providers.md names one for each provider.
ANSWERS = [
    Answer(
        "Azure OpenAI",
        429,
        '{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation '
        'have exceeded token rate limit of your current S0 pricing tier. Please retry after 45 seconds."}}',
        FAILURE,
        45.0,
        RATE,
        (
            ("retry-after", "45"),
            ("retry-after-ms", "44871"),
            ("x-ratelimit-remaining-tokens", "-1"),
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-reset-tokens", "0"),
        ),
    ),
    Answer(
        "Azure OpenAI",
        400,
        '{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter",'
        '"status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":'
        '{"violence":{"filtered":true,"severity":"medium"}}}}}',
        NEUTRAL,
    ),
    Answer(
        "OpenRouter",
        402,
        '{"error":{"code":402,"message":"Insufficient credits","metadata":{"limit_source":"openrouter_credits"}}}',
        NEUTRAL,
        None,
        SPENT,
    ),
    Answer(
        "OpenRouter",
        402,
        '{"error":{"code":402,"message":"m","metadata":{"limit_source":"openrouter_in_flight_budget"}}}',
        NEUTRAL,
        3.0,
        SPENT,
        (("retry-after", "3"),),
    ),
    Answer(
        "OpenRouter",
        429,
        '{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429,"metadata":{"headers":'
        '{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1745107200000"}}}}',
        FAILURE,
        10.0,
        RATE,
        (("x-ratelimit-limit", "20"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1745107200000")),
    ),
    Answer(
        "OpenRouter",
        503,
        '{"error":{"code":503,"message":"There is no available model provider"}}',
        FAILURE,
    ),
    Answer("OpenRouter", 502, '{"error":{"code":502,"message":"Your chosen model is down"}}', NEUTRAL),
    Answer(
        "Gemini",
        429,
        '[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":['
        '{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerMinute"}]},'
        '{"@type":"type.googleapis.com/google.rpc.Help","links":[]},'
        '{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"23.5s"}]}}]',
        FAILURE,
        23.5,
        RATE,
    ),
    Answer(
        "Gemini",
        429,
        '[{\n  "error": {\n    "code": 429,\n    "message": "Resource has been exhausted (e.g. check quota).",\n'
        '    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n]',
        FAILURE,
        None,
        RATE,
    ),
    Answer(
        "Gemini",
        400,
        '[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":['
        '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]',
        NEUTRAL,
        None,
        INVALID,
    ),
    Answer(
        "Bedrock",
        429,
        '{"message":"Too many requests, please wait before trying again."}',
        FAILURE,
        None,
        RATE,
        (("x-amzn-errortype", "ThrottlingException"),),
    ),
    Answer("Bedrock", 429, '{"message":"The model is not ready"}', FAILURE, None, RATE),
    Answer("Bedrock", 424, '{"message":"m","originalStatusCode":500}', NEUTRAL),
    Answer("Bedrock", 408, '{"message":"Model timeout"}', NEUTRAL),
    Answer("Bedrock", 503, '{"message":"Service unavailable"}', FAILURE),
    Answer(
        "Bedrock",
        403,
        '{"Message":"Authentication failed: Please make sure your API Key is valid."}',
        NEUTRAL,
        None,
        INVALID,
    ),
    Answer(
        "Mistral",
        429,
        '{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300",'
        '"raw_status_code":429}',
        FAILURE,
        None,
        RATE,
        (("x-ratelimit-limit-req-minute", "720"), ("x-ratelimit-remaining-req-minute", "0")),
    ),
    Answer("Mistral", 402, '{"detail":"Payment required"}', NEUTRAL, None, SPENT),
    Answer(
        "DeepSeek",
        402,
        '{"error":{"message":"Insufficient Balance","type":"unknown_error"}}',
        NEUTRAL,
        None,
        SPENT,
    ),
    Answer("DeepSeek", 503, '{"error":{"message":"Service is too busy"}}', FAILURE),
    Answer("DeepSeek", 200, '\n\n\n{"choices":[{"message":{"content":"x"}}],"usage":{"total_tokens":3}}', SUCCESS),
    Answer(
        "Groq",
        429,
        '{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}',
        FAILURE,
        7.66,
        RATE,
        (
            ("retry-after", "2"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "7.66s"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
        ),
    ),
    Answer("Groq", 498, '{"error":{"message":"m","type":"flex","code":"capacity_exceeded"}}', NEUTRAL),
    Answer(
        "vLLM",
        404,
        '{"error":{"message":"The model `m` does not exist.","type":"NotFoundError","code":404}}',
        NEUTRAL,
    ),
    Answer("vLLM", 503, "", FAILURE),
    Answer(
        "Ollama",
        503,
        '{"error":{"message":"server busy, please try again.","type":"api_error","param":null,"code":null}}',
        FAILURE,
    ),
    Answer("Ollama", 404, '{"error":{"message":"model \\"m\\" not found","type":"not_found_error"}}', NEUTRAL),
    Answer(
        "llama.cpp", 503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', FAILURE
    ),
    Answer("LM Studio", 200, '{"error":"Unexpected endpoint or method. (POST /chat/completions)"}', NEUTRAL),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.provider} {answer.status}")
def test_a_documented_answer_is_taken_for_what_it_is(answer: Answer) -> None:
    """Its verdict, the longest wait that its headers or its body ask for, and what it says of the key."""
    inspector = ResponseInspector(answer.status, media_type="application/json", readable=True)
    evidence = inspector.head()
    if evidence is None:
        inspector.feed(answer.body.encode())
        evidence = inspector.end()
    assert evidence is not None
    assert evidence.verdict is answer.verdict
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    of_headers = retry_after.from_headers(headers, QUOTAS["openai"], WALL)
    hint = retry_after.later(of_headers, evidence.retry_after)
    assert hint == (None if answer.hint is None else pytest.approx(answer.hint))
    assert key_errors.of_answer(answer.status, verdict.parse(answer.body.encode())) is answer.key


@pytest.mark.parametrize(
    ("event", "found", "hint"),
    [
        # OpenRouter, in the middle of a stream: the code is a name or a number.
        ('{"error":{"code":"server_error","message":"m"},"choices":[{"finish_reason":"error"}]}', NEUTRAL, None),
        ('{"error":{"code":502,"message":"m"},"choices":[{"finish_reason":"error"}]}', NEUTRAL, None),
        ('{"error":{"code":429,"message":"m"},"choices":[{"finish_reason":"error"}]}', FAILURE, None),
        # vLLM, SGLang and llama.cpp: what would be a status in the head.
        ('{"error":{"object":"error","message":"m","type":"BadRequestError","code":400}}', NEUTRAL, None),
        ('{"error":{"message":"m","type":"InternalServerError","code":500}}', NEUTRAL, None),
        ('{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', FAILURE, None),
        # Gemini.
        ('[{"error":{"code":429,"details":[{"retryDelay":"7s"}]}}]', FAILURE, 7.0),
        ('{"error":{"code":429,"details":[{"retryDelay":"-1s"},{"retryDelay":7},"x"]}}', FAILURE, None),
        ('{"error":{"code":429,"details":{"retryDelay":"7s"}}}', FAILURE, None),
        # Groq's flex tier, as an error of a stream.
        ('{"error":{"code":"capacity_exceeded","message":"m"}}', FAILURE, None),
    ],
)
def test_a_documented_error_of_a_stream(event: str, found: Verdict, hint: float | None) -> None:
    """An overload counts, any other error does not; a wait is read from Google's details only."""
    evidence = verdict.of_event("", verdict.parse(event.encode()))
    assert evidence is not None
    assert (evidence.verdict, evidence.retry_after) == (found, hint)


def test_comments_that_keep_a_stream_alive_show_nothing() -> None:
    """DeepSeek and OpenRouter send them while a request waits."""
    inspector = ResponseInspector(200, media_type="text/event-stream", readable=True)
    assert inspector.feed(b": keep-alive\n\n: OPENROUTER PROCESSING\n\n") == []


def test_mistral_s_quotas_are_of_a_minute() -> None:
    """They have no reset, which comes within the minute; with one it counts."""
    pairs = [
        (b"x-ratelimit-limit-tokens-minute", b"5000000"),
        (b"x-ratelimit-remaining-tokens-minute", b"4999911"),
        (b"x-ratelimit-limit-req-minute", b"720"),
        (b"x-ratelimit-remaining-req-minute", b"717"),
        (b"x-ratelimit-tokens-query-cost", b"52"),
    ]
    left = retry_after.quotas_left(pairs, QUOTAS["openai"], WALL)
    assert set(left) == {Left("tokens", 5_000_000, 4_999_911, 60.0), Left("requests", 720, 717, 60.0)}
