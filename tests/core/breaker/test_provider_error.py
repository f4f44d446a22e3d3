from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.core.breaker import provider_error, verdict
from aibridge_trio.core.breaker.provider_error import OverloadReport
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Verdict

# What compatible providers send in the middle of a stream.
COMPATIBLE: list[tuple[str, str, str]] = [
    ("OpenRouter", "", '{"error":{"code":503,"message":"m"},"choices":[{"index":0,"finish_reason":"error"}]}'),
    ("OpenRouter", "", '{"error":{"code":429,"message":"m","metadata":{"raw":"…"}},"choices":[]}'),
    ("OpenRouter", "", '{"error":{"code":502,"metadata":{"error_type":"provider_overloaded"}},"choices":[]}'),
    ("OpenRouter", "", '{"choices":[{"delta":{"content":""},"finish_reason":"error","error":{"code":503}}]}'),
    ("LiteLLM", "", '{"error":{"message":"m","type":null,"param":null,"code":"503"}}'),
    ("LiteLLM", "", '{"error":{"message":"m","type":"throttling_error","param":null,"code":"429"}}'),
    ("vLLM", "", '{"error":{"message":"m","type":"ServiceUnavailableError","param":null,"code":503}}'),
    ("SGLang", "", '{"object":"error","message":"m","type":"x","param":null,"code":503}'),
    ("TGI", "", '{"error":{"message":"m","http_status_code":429}}'),
    ("TGI", "", '{"error":"Model is overloaded","error_type":"overloaded"}'),
    ("Groq", "error", '{"error":{"message":"m","type":"service_unavailable","status_code":503}}'),
    ("Gemini", "", '{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}'),
    ("Gemini", "", '{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"t"}]}}'),
    ("Gemini", "", '{"error":{"message":"m","status":"Too Many Requests"}}'),
    ("Azure", "", '{"error":{"code":"429","message":"m"}}'),
    ("Azure", "", '{"error":{"code":"TooManyRequests","message":"m"}}'),
    ("Moonshot", "", '{"error":{"message":"m","type":"engine_overloaded_error"}}'),
    ("Bedrock", "", '{"error":{"code":"ThrottlingException","message":"m"}}'),
    ("Codex", "error", '{"type":"error","status":429,"error":{"type":"x"}}'),
    ("any", "", '{"error":{"code":529}}'),
    ("any", "", '{"error":{"code":" 529 "}}'),
    ("any", "", '{"error":{"type":"overloaded"}}'),
    ("any", "", '{"error":{"status":503}}'),
    ("any", "error", '{"type":"overloaded_error"}'),
    ("any", "", '{"error":503}'),
    ("any", "", '{"error":"rate_limit_exceeded"}'),
    ("any", "", '{"choices":[{"index":0,"delta":{}},{"index":1,"error":{"code":503}}]}'),
    ("Gemini", "", '[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]'),
    ("DashScope", "", '{"code":"Throttling.RateQuota","message":"m","request_id":"r"}'),
    ("Mistral", "", '{"object":"error","message":"m","type":"service_tier_capacity_exceeded","code":"3505"}'),
    ("any", "", '{"code":503,"message":"m"}'),
    ("any", "", '{"status":"503","detail":"m"}'),
    ("any", "", '{"type":"overloaded","message":"m"}'),
    ("any", "", '{"errors":[{"code":503,"message":"m"}]}'),
    ("any", "", '{"error":{"error":{"type":"overloaded_error"}}}'),
    ("any", "", '{"error":{"code":"503 Service Unavailable"}}'),
    ("any", "", '{"error":{"code":"HTTP_503"}}'),
    ("any", "", '{"error":{"statusCode":503}}'),
    ("any", "", '{"error":{"type":"server_overload"}}'),
    ("any", "", '{"error":{"code":"model_is_overloaded"}}'),
    ("any", "", '{"error":{"code":"tpm_rate_limit_reached_for_key"}}'),
    ("any", "response.failed", '{"type":"response.failed","response":{"error":{"code":503}}}'),
]


@pytest.mark.parametrize(("_provider", "name", "data"), COMPATIBLE)
def test_overload_in_the_shapes_of_compatible_providers(_provider: str, name: str, data: str) -> None:
    """A status in an error, as number or text, counts like one in a head; so does its name in any spelling."""
    document = verdict.parse(data.encode())
    evidence = verdict.of_event(name, document)
    assert evidence is not None
    assert (evidence.verdict, evidence.overload) == (Verdict.FAILURE, True)
    quota = any(word in data.lower() for word in ("429", "rate_limit", "throttling", "too many", "toomany"))
    assert evidence.quota is quota
    if name == "":
        assert verdict.of_body(200, document) == evidence


@pytest.mark.parametrize(
    "error",
    [
        *(
            f'{{"code":{status}}}'
            for status in (400, 401, 402, 404, 408, 498, 500, 502, 504, 0, -503, 50300, 1e300)
        ),
        *(f'{{"code":"{status}"}}' for status in ("500", "502", "5030", "-503", "5.03", "\u0665\u0660\u0663", "")),
        '{"code":true}',
        '{"code":[503]}',
        '{"code":{"code":503}}',
        '{"message":"503 overloaded"}',
        '{"code":null,"type":"InternalServerError"}',
        '{"code":"server_error"}',
        '{"code":"' + "overloaded" * 1000 + '"}',
        '{"code":"over\\nloaded"}',
        '{"code":429,"type":"insufficient_quota"}',
        '"the model overloaded its context"',
        '"an error was encountered while running the model"',
    ],
)
def test_other_statuses_and_words_in_an_error_are_neutral(error: str) -> None:
    """Other statuses are neutral, as in a head; free text is no code."""
    document = verdict.parse(f'{{"error":{error}}}'.encode())
    assert document
    for evidence in (verdict.of_event("", document), verdict.of_body(200, document)):
        assert evidence is not None
        assert evidence._replace(cause="") == NEUTRAL
        assert evidence.cause == ("no credit left" if "insufficient_quota" in error else "")


def test_a_choice_that_ends_in_error_is_neutral() -> None:
    """It is no content, and does not say why it ended."""
    document = {"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}
    assert verdict.of_event("", document) == NEUTRAL


@pytest.mark.parametrize(
    "document",
    [
        {"object": "response", "status": "completed", "error": None, "code": 503},
        {"choices": [{"message": {"content": "503"}, "finish_reason": "stop"}], "type": "overloaded"},
        {"choices": [], "status": 503},
        {"choices": [{"delta": {"content": "overloaded"}}], "code": 503, "message": "m"},
        {"type": "message", "message": "m", "status": "in_progress", "code": 200},
        {"type": "message", "content": [{"type": "text", "text": "overloaded_error"}]},
    ],
)
def test_what_is_no_error_is_not_read_for_codes(document: dict[str, Any]) -> None:
    """A complete answer without an error is a success, whatever words it contains."""
    assert verdict.of_body(200, document) == SUCCESS
    assert verdict.of_event("", document) is SUCCESS


@pytest.mark.parametrize(
    ("code", "report"),
    [
        (429, OverloadReport("429", quota=True)),
        ("503", OverloadReport("503", quota=False)),
        ("rate_limit_exceeded", OverloadReport("rate_limit_exceeded", quota=True)),
        ("overloaded_error", OverloadReport("overloaded_error", quota=False)),
        ("server_error", None),
        (500, None),
    ],
)
def test_a_report_names_the_code_and_whether_it_means_the_quota(
    code: object, report: OverloadReport | None
) -> None:
    """The first code that means overload is reported as it was written; 429 and its names mean the key's quota."""
    assert provider_error.overload({"error": {"message": "m", "type": "x", "code": code}}) == report


@pytest.mark.parametrize("code", sorted(provider_error._EXHAUSTED))
def test_an_exhausted_account_is_known_by_its_code(code: str) -> None:
    """The codes of exhausted accounts are exact: no part and no other spelling of them counts."""
    assert provider_error.is_exhausted({"error": {"code": code}})
    assert provider_error.is_exhausted({"error": {"details": {"error_code": code}}})
    assert not provider_error.is_exhausted({"error": {"code": code.upper()}})
    assert not provider_error.is_exhausted({"error": {"message": code}})


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "overloaded_error"),
        ({"error": {"type": "invalid_request_error", "code": "model_not_found"}}, "model_not_found"),
        ({"error": {"type": "server_error", "code": None}}, "server_error"),
        ({"error": {"type": "throttling_error", "code": "429"}}, "throttling_error"),
        ({"error": {"code": 503, "status": "UNAVAILABLE"}}, "UNAVAILABLE"),
        ({"error": {"code": 502}}, "502"),
        ({"type": "response.failed", "response": {"status": "failed", "error": {"code": "busy"}}}, "busy"),
        (
            {"error": {"type": "invalid_request_error", "details": {"error_code": "credit_balance_exhausted"}}},
            "credit_balance_exhausted",
        ),
        ({"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded"),
        ({"type": "error", "code": "rate_limit_exceeded"}, "rate_limit_exceeded"),
        ({"error": {"code": "a" * 65}}, None),
        ({"error": {"code": "no words please"}}, None),
        ({"error": {"code": True}}, None),
        ({"error": "secret"}, None),
        ({}, None),
    ],
)
def test_the_code_of_an_error_is_its_most_telling_name(document: dict[str, Any], code: str | None) -> None:
    """A name before a number, a code before a type; never a message."""
    assert provider_error.error_code(document) == code
